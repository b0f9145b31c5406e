#include "driver/docker/credential_store.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>

#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/docker/credential_program.h"

namespace depot::docker {
namespace {

using registry::Credential;
using Answer = std::optional<Credential>;
using Auths = std::map<std::string, AuthEntry>;

constexpr std::chrono::seconds kKept(290);
constexpr std::string_view kHubKey = "https://index.docker.io/v1/";
constexpr std::string_view kEnvironmentSource = "DOCKER_AUTH_CONFIG";

std::string HostOf(std::string_view key) {
  for (std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  std::string host = LowerAscii(key.substr(0, key.find('/')));
  if (host == "index.docker.io" || host == "registry-1.docker.io") return "docker.io";
  return host;
}

std::string KeyOf(const std::string& host) {
  return HostOf(host) == "docker.io" ? std::string(kHubKey) : host;
}

Answer ToCredential(const AuthEntry& entry, std::string_view source) {
  Credential credential;
  credential.source = source;
  if (!entry.registry_token.empty()) {
    credential.registry_token = entry.registry_token;
  } else if (!entry.identity_token.empty()) {
    credential.identity_token = entry.identity_token;
  } else if (!entry.password.empty()) {
    credential.username = entry.username;
    credential.password = entry.password;
  } else {
    return std::nullopt;
  }
  return credential;
}

/// Entries that hold nothing (Docker leaves such behind when a helper keeps the secret) do not
/// count.
Answer FindEntry(const Auths& auths, const std::string& key, std::string_view source) {
  auto exact = auths.find(key);
  if (exact != auths.end()) {
    if (Answer found = ToCredential(exact->second, source)) return found;
  }
  std::string host = HostOf(key);
  for (const auto& [other, entry] : auths) {
    if (HostOf(other) != host) continue;
    if (Answer found = ToCredential(entry, source)) return found;
  }
  return std::nullopt;
}

bool IsOnPath(const std::string& search_path, const std::string& program) {
  for (std::string_view folder : Split(search_path, ':')) {
    if (!folder.empty() && ::access(Cat(folder, '/', program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

/// The helper that Docker takes when nothing at all is configured (docker/cli
/// cli/config/credentials/default_store_linux.go).
std::string PlatformHelper(const std::string& search_path) {
  std::string suffix = IsOnPath(search_path, "pass") ? "pass" : "secretservice";
  return IsOnPath(search_path, "docker-credential-" + suffix) ? suffix : "";
}

std::string Describe(const std::string& key, const Credential& credential) {
  std::string host = HostOf(key);
  std::string who = "registry token";
  if (!credential.identity_token.empty()) who = "identity token";
  // Some registries want the token as user name and password alike.
  bool show_user = credential.username != credential.password.Reveal();
  if (!credential.password.empty()) {
    who = show_user ? Cat("user ", credential.username) : "token as user";
  }
  return Printable(Cat("credentials for ", host, ": ", credential.source, " (", who, ")"));
}

/// Where candidates come from, one after the other.
enum class Place { kEnvironment, kConfig, kGitlab, kEnd };

class CredentialStore final : public registry::CredentialSource {
 public:
  CredentialStore(CredentialPlaces places,
                  std::string search_path,
                  std::function<void(std::string)> say)
      : config_(std::move(places.config)),
        environment_auths_(std::move(places.environment_auths)),
        gitlab_(std::move(places.gitlab)),
        order_(places.order),
        search_path_(std::move(search_path)),
        say_(std::move(say)) {}

  Result<Answer> Lookup(const std::string& host, int nth, const Cancel& cancel) override {
    std::string key = KeyOf(host);
    std::unique_lock lock(mutex_);
    if (!cancel.Wait(lock, changed_, [&] { return !busy_; })) return Fail(cancel.error());
    Kept kept;
    auto known = kept_.find(key);
    bool fresh = known != kept_.end() && std::chrono::steady_clock::now() < known->second.until;
    if (fresh) kept = known->second;
    busy_ = true;
    lock.unlock();
    Result<Answer> answer = Find(key, static_cast<std::size_t>(nth), kept, cancel);
    lock.lock();
    busy_ = false;
    changed_.notify_all();
    if (!answer) return answer;
    kept_[key] = std::move(kept);
    bool first = *answer && said_.insert(Describe(key, **answer)).second;
    lock.unlock();
    if (first) say_(Describe(key, **answer));
    return answer;
  }

 private:
  /// What is known of a key.
  struct Kept {
    std::vector<Credential> found;
    std::size_t places_asked = 0;
    std::chrono::steady_clock::time_point until = std::chrono::steady_clock::now() + kKept;
  };

  /// Asks as many places as it takes; a helper may be among them.
  Result<Answer> Find(const std::string& key, std::size_t nth, Kept& kept, const Cancel& cancel) {
    std::optional<Error> failure;
    while (kept.found.size() <= nth && PlaceAt(kept.places_asked) != Place::kEnd) {
      Place place = PlaceAt(kept.places_asked);
      Result<std::vector<Credential>> found = Ask(place, key, cancel);
      if (!found && cancel.cancelled()) return Fail(std::move(found).error());
      ++kept.places_asked;
      if (!found) {
        failure = std::move(found).error();
        continue;
      }
      for (Credential& one : *found)
        AddNew(std::move(one), kept.found);
    }
    if (failure && kept.found.empty()) return Fail(std::move(*failure));
    if (failure) {
      say_(Cat("credentials for ", Printable(HostOf(key)), ": ", failure->message(),
               "; going on with ", kept.found.back().source));
    }
    return kept.found.size() > nth ? Answer(kept.found[nth]) : std::nullopt;
  }

  Place PlaceAt(std::size_t turn) const {
    bool environment_first = order_ == AuthOrder::kEnvironmentFirst;
    switch (turn) {
      case 0:
        return environment_first ? Place::kEnvironment : Place::kConfig;
      case 1:
        return environment_first ? Place::kConfig : Place::kEnvironment;
      case 2:
        return Place::kGitlab;
      default:
        return Place::kEnd;
    }
  }

  Result<std::vector<Credential>> Ask(Place place,
                                      const std::string& key,
                                      const Cancel& cancel) const {
    std::vector<Credential> found;
    if (place == Place::kGitlab) {
      for (const auto& [host, credential] : gitlab_) {
        if (HostOf(host) == HostOf(key)) found.push_back(credential);
      }
      return found;
    }
    Answer one;
    if (place == Place::kEnvironment) {
      one = FindEntry(environment_auths_, key, kEnvironmentSource);
    } else {
      TRY_ASSIGN(one, FindInConfig(key, cancel));
    }
    if (one) found.push_back(std::move(*one));
    return found;
  }

  static void AddNew(Credential candidate, std::vector<Credential>& found) {
    bool known = std::any_of(found.begin(), found.end(),
                             [&](const Credential& one) { return SameSecret(one, candidate); });
    if (!known) found.push_back(std::move(candidate));
  }

  Result<Answer> FindInConfig(const std::string& key, const Cancel& cancel) const {
    CredentialProgram program = ProgramFor(key);
    if (program.suffix.empty()) return FindEntry(config_.auths, key, "config.json");
    // Of the file, only a ready token counts beside a helper.
    auto entry = config_.auths.find(key);
    if (entry != config_.auths.end() && !entry->second.registry_token.empty()) {
      return ToCredential(entry->second, "config.json");
    }
    return AskCredentialProgram(program, key, cancel);
  }

  CredentialProgram ProgramFor(const std::string& key) const {
    auto helper = config_.cred_helpers.find(key);
    if (helper != config_.cred_helpers.end()) {
      return {helper->second, Cat("credHelpers of ", config_.path)};
    }
    if (!config_.creds_store.empty()) {
      return {config_.creds_store, Cat("credsStore of ", config_.path)};
    }
    bool nothing = config_.auths.empty() && config_.cred_helpers.empty();
    return {nothing ? PlatformHelper(search_path_) : "", "Docker's default here"};
  }

  const ConfigFile config_;
  const Auths environment_auths_;
  const HostCredentials gitlab_;
  const AuthOrder order_;
  const std::string search_path_;
  const std::function<void(std::string)> say_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool busy_ = false;
  std::map<std::string, Kept> kept_;
  std::set<std::string> said_;
};

}  // namespace

Result<AuthOrder> ChooseAuthOrder(const std::string& docker_auth_order, bool gitlab_ci) {
  std::string_view order = Trim(docker_auth_order);
  if (order == "env,config") return AuthOrder::kEnvironmentFirst;
  if (order == "config,env") return AuthOrder::kConfigFirst;
  if (order.empty()) return gitlab_ci ? AuthOrder::kConfigFirst : AuthOrder::kEnvironmentFirst;
  return Fail(ErrorCode::kInvalid, Cat("DOCKER_AUTH_ORDER is \"", Printable(order),
                                       "\"; it must be \"env,config\" or \"config,env\""));
}

std::unique_ptr<registry::CredentialSource> MakeCredentialStore(
    CredentialPlaces places, std::string search_path, std::function<void(std::string)> say) {
  return std::make_unique<CredentialStore>(std::move(places), std::move(search_path),
                                           std::move(say));
}

}  // namespace depot::docker
