#include "driver/docker/credential_store.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <set>

#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/docker/credential_keys.h"
#include "driver/docker/credential_program.h"

namespace depot::docker {
namespace {

using registry::Credential;
using Answer = std::optional<Credential>;

constexpr std::chrono::seconds kKept(290);
constexpr std::string_view kConfigSource = "config.json";
constexpr std::string_view kEnvironmentSource = "DOCKER_AUTH_CONFIG";

/// `config.json "registry.example/team"`.
std::string Named(std::string_view source, const RankedKey& key) {
  return key.name.empty() ? std::string(source) : Cat(source, ' ', key.name);
}

/// Entries that hold nothing (Docker leaves such behind when a helper keeps the secret) do not
/// count.
Answer ToCredential(const AuthEntry& entry, std::string source) {
  Credential credential;
  credential.source = std::move(source);
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

std::string Describe(const std::string& host, const Credential& credential) {
  std::string who = "registry token";
  if (!credential.identity_token.empty()) who = "identity token";
  // Some registries want the token as user name and password alike.
  bool show_user = credential.username != credential.password.Reveal();
  if (!credential.password.empty()) {
    who = show_user ? Cat("user ", credential.username) : "token as user";
  }
  return Printable(
      Cat("credentials for ", HostOfKey(host), ": ", credential.source, " (", who, ")"));
}

/// One thing that may give a candidate: what is known, or a helper that is asked for a key.
struct Try {
  Answer known;
  CredentialProgram program;  ///< without a suffix: there is none to ask
  RankedKey key;
};

class CredentialStore final : public registry::CredentialSource {
 public:
  CredentialStore(CredentialPlaces places,
                  std::string search_path,
                  std::function<void(std::string)> say)
      : places_(std::move(places)), search_path_(std::move(search_path)), say_(std::move(say)) {}

  Result<Answer> Lookup(const std::string& host,
                        const std::string& repository,
                        int nth,
                        const Cancel& cancel) override {
    const std::vector<Try> tries = TriesFor(host, repository);
    std::unique_lock lock(mutex_);
    if (!cancel.Wait(lock, changed_, [&] { return !busy_; })) return Fail(cancel.error());
    busy_ = true;
    lock.unlock();
    std::vector<std::string> lines;
    Result<Answer> answer = Find(tries, host, static_cast<std::size_t>(nth), lines, cancel);
    lock.lock();
    busy_ = false;
    changed_.notify_all();
    if (answer && *answer) lines.push_back(Describe(host, **answer));
    std::erase_if(lines, [this](const std::string& line) { return !said_.insert(line).second; });
    lock.unlock();
    for (std::string& line : lines)
      say_(std::move(line));
    return answer;
  }

 private:
  /// What a helper said about a key, and how long that counts.
  struct Kept {
    Result<Answer> answer;
    std::chrono::steady_clock::time_point until;
  };

  /// Asks as many helpers as it takes. Only while `busy_`.
  Result<Answer> Find(const std::vector<Try>& tries,
                      const std::string& host,
                      std::size_t nth,
                      std::vector<std::string>& lines,
                      const Cancel& cancel) {
    std::vector<Credential> found;
    std::optional<Error> failure;
    for (const Try& one : tries) {
      if (found.size() > nth) break;
      Result<Answer> answer = one.program.suffix.empty() ? one.known : Ask(one, cancel);
      if (!answer && cancel.cancelled()) return answer;
      if (!answer) {
        failure = std::move(answer).error();
        continue;
      }
      if (*answer) AddNew(**std::move(answer), found);
    }
    if (failure && found.empty()) {
      std::erase_if(kept_, [](const auto& kept) { return !kept.second.answer; });
      return Fail(std::move(*failure));
    }
    if (failure) {
      lines.push_back(Cat("credentials for ", Printable(HostOfKey(host)), ": ", failure->message(),
                          "; going on with ", found.back().source));
    }
    return found.size() > nth ? Answer(found[nth]) : std::nullopt;
  }

  /// A helper that is missing or hangs does so for every key.
  Result<Answer> Ask(const Try& one, const Cancel& cancel) {
    auto now = std::chrono::steady_clock::now();
    std::erase_if(kept_, [&](const auto& kept) { return kept.second.until <= now; });
    const std::string& program = one.program.suffix;
    if (auto kept = kept_.find({program, ""}); kept != kept_.end()) return kept->second.answer;
    if (auto kept = kept_.find({program, one.key.key}); kept != kept_.end()) {
      return kept->second.answer;
    }
    Result<Answer> answer = AskCredentialProgram(one.program, one.key.key, cancel);
    if (answer && *answer) (*answer)->source = Named((*answer)->source, one.key);
    if (!answer && cancel.cancelled()) return answer;
    bool always = !answer && (answer.error().code() == ErrorCode::kNotFound ||
                              answer.error().code() == ErrorCode::kTimeout);
    kept_.insert_or_assign({program, always ? "" : one.key.key}, Kept{answer, now + kKept});
    return answer;
  }

  std::vector<Try> TriesFor(const std::string& host, const std::string& repository) const {
    std::vector<Try> tries;
    auto add = [&](std::vector<Try> more) {
      std::move(more.begin(), more.end(), std::back_inserter(tries));
    };
    bool environment_first = places_.order == AuthOrder::kEnvironmentFirst;
    add(OfHost(places_.hosted, host));
    if (environment_first) add(OfEnvironment(host, repository));
    add(OfConfig(host, repository));
    if (!environment_first) add(OfEnvironment(host, repository));
    add(OfHost(places_.gitlab, host));
    return tries;
  }

  static std::vector<Try> OfHost(const HostCredentials& all, const std::string& host) {
    std::vector<Try> tries;
    for (const auto& [its, credential] : all) {
      if (HostOfKey(its) == HostOfKey(host)) tries.push_back({credential, {}, {}});
    }
    return tries;
  }

  std::vector<Try> OfEnvironment(const std::string& host, const std::string& repository) const {
    std::vector<Try> tries;
    std::set<std::string> keys;
    for (const auto& [key, entry] : places_.environment_auths)
      if (ToCredential(entry, "")) keys.insert(key);
    for (RankedKey& key : RankKeys(keys, host, repository)) {
      const AuthEntry& entry = places_.environment_auths.at(key.key);
      tries.push_back({ToCredential(entry, Named(kEnvironmentSource, key)), {}, {}});
    }
    return tries;
  }

  std::vector<Try> OfConfig(const std::string& host, const std::string& repository) const {
    std::vector<Try> tries;
    std::set<std::string> keys;
    for (const auto& [key, entry] : places_.config.auths) {
      if (ToCredential(entry, "") || !ProgramFor(key).suffix.empty()) keys.insert(key);
    }
    for (const auto& [key, suffix] : places_.config.cred_helpers)
      if (!suffix.empty()) keys.insert(key);
    if (!ProgramFor(MainKeyOf(host)).suffix.empty()) keys.insert(MainKeyOf(host));
    for (RankedKey& key : RankKeys(keys, host, repository)) {
      auto entry = places_.config.auths.find(key.key);
      bool there = entry != places_.config.auths.end();
      CredentialProgram program = ProgramFor(key.key);
      // Of the file, only a ready token counts beside a helper.
      bool ready = there && (program.suffix.empty() || !entry->second.registry_token.empty());
      if (ready) {
        tries.push_back({ToCredential(entry->second, Named(kConfigSource, key)), {}, {}});
      } else {
        tries.push_back({std::nullopt, std::move(program), std::move(key)});
      }
    }
    return tries;
  }

  static void AddNew(Credential candidate, std::vector<Credential>& found) {
    bool known = std::any_of(found.begin(), found.end(),
                             [&](const Credential& one) { return SameSecret(one, candidate); });
    if (!known) found.push_back(std::move(candidate));
  }

  CredentialProgram ProgramFor(const std::string& key) const {
    const ConfigFile& config = places_.config;
    auto helper = config.cred_helpers.find(key);
    if (helper != config.cred_helpers.end()) {
      return {helper->second, Cat("credHelpers of ", config.path)};
    }
    if (!config.creds_store.empty()) {
      return {config.creds_store, Cat("credsStore of ", config.path)};
    }
    bool nothing = config.auths.empty() && config.cred_helpers.empty();
    return {nothing ? PlatformHelper(search_path_) : "", "Docker's default here"};
  }

  const CredentialPlaces places_;
  const std::string search_path_;
  const std::function<void(std::string)> say_;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool busy_ = false;
  std::map<std::pair<std::string, std::string>, Kept> kept_;  ///< by helper and key; "" = any key
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
