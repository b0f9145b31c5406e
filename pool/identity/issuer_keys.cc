#include "pool/identity/issuer_keys.h"

#include <cerrno>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>

#include <sys/stat.h>

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "driver/http/url.h"

namespace depot::identity {
namespace {

using settings::OidcSettings;

constexpr std::size_t kMaxAnswer = 1 << 20;
constexpr std::chrono::seconds kPatience{10};
constexpr std::int64_t kFreshFor = 600;        // seconds
constexpr std::int64_t kServeFor = 4200;       // seconds, fresh and stale together
constexpr std::int64_t kUnknownKeyPause = 30;  // seconds
constexpr std::int64_t kFailurePause = 5;      // seconds

using Keys = std::vector<PublicKey>;

/// nullptr when the set does not have it.
const PublicKey* Pick(const Keys& keys, const std::string& id) {
  if (id.empty()) return keys.size() == 1 ? keys.data() : nullptr;
  for (const PublicKey& key : keys) {
    if (key.id == id) return &key;
  }
  return nullptr;
}

Result<std::string> Get(http::HttpClient& client,
                        const OidcSettings& issuer,
                        const std::string& url,
                        const Cancel& cancel) {
  http::Request request;
  request.url = url;
  request.headers = {{"Accept", "application/json"}};
  request.max_body = kMaxAnswer;
  request.transport.ca_pem = issuer.ca_pem;
  // Plain HTTP is for this machine alone.
  request.transport.use_proxy = url.starts_with("https://");
  TRY_ASSIGN(http::Response response, client.Send(request, cancel));
  if (response.status != 200) {
    return Fail(ErrorCode::kUnavailable,
                Cat(Printable(RedactUrls(url)), " answered HTTP status ", response.status));
  }
  return std::move(response.body);
}

/// Where the discovery document says that the keys are.
Result<std::string> Discover(http::HttpClient& client,
                             const OidcSettings& issuer,
                             const Cancel& cancel) {
  std::string base = issuer.issuer;
  while (base.ends_with('/'))
    base.pop_back();
  TRY_ASSIGN(const std::string text,
             Get(client, issuer, base + "/.well-known/openid-configuration", cancel));
  Result<Json> document = Json::Parse(text);
  if (!document) return Fail(Error(document.error()).While("the discovery document"));
  if ((*document)["issuer"].AsString() != issuer.issuer) {
    return Fail(Error(ErrorCode::kInvalid, "the discovery document is another issuer's")
                    .WithHint("write `issuer` in the pool's settings exactly as the issuer does"));
  }
  std::string url = (*document)["jwks_uri"].AsString();
  if (!http::IsSafeUrl(url)) {
    return Fail(ErrorCode::kInvalid, "the discovery document names no https:// URL of keys");
  }
  return url;
}

Result<Keys> FetchKeys(http::HttpClient& client, const OidcSettings& issuer, const Cancel& cancel) {
  std::string url = issuer.jwks_url;
  if (url.empty()) {
    TRY_ASSIGN(url, Discover(client, issuer, cancel));
  }
  TRY_ASSIGN(const std::string text, Get(client, issuer, url, cancel));
  return ParseKeySet(text);
}

/// What changes when a file does; "" when it cannot be looked at.
std::string Stamp(const std::string& path) {
  struct stat st {};
  if (stat(path.c_str(), &st) != 0) return "";
  return Cat(st.st_dev, ' ', st.st_ino, ' ', st.st_size, ' ', st.st_mtim.tv_sec, ' ',
             st.st_mtim.tv_nsec, ' ', st.st_ctim.tv_sec, ' ', st.st_ctim.tv_nsec);
}

/// What is known of one issuer.
struct Entry {
  std::shared_ptr<const Keys> keys;  // the last that were read
  std::int64_t read_at = 0;
  std::optional<Error> failure;  // of the last try
  std::int64_t tried_at = 0;
  bool fetching = false;
  std::string stamp;                   // of the file that `keys` are from
  std::unique_ptr<TaskGroup> fetcher;  // its thread has ended, or will not ask for the lock again,
                                       // when `fetching` is false
};

/// `seconds` have not passed; a clock that went back counts as passed.
bool Within(std::int64_t since, std::int64_t now, std::int64_t seconds) {
  return now >= since && now - since < seconds;
}

/// Why the keys could not be had; that the wait was too long is the issuer's fault, nobody else's.
Error FailureOf(const Error& error) {
  if (error.code() != ErrorCode::kTimeout) return error;
  return Error(ErrorCode::kUnavailable, error.message()).WithHint(error.hint());
}

class FetchedKeys final : public IssuerKeys {
 public:
  explicit FetchedKeys(http::HttpClient& client) : client_(client) {}

  Result<std::optional<PublicKey>> Find(const OidcSettings& issuer,
                                        const std::string& key_id,
                                        std::int64_t now) override {
    const std::string doing = Cat("read the keys of ", Printable(issuer.issuer));
    Result<std::shared_ptr<const Keys>> keys =
        issuer.jwks_file.empty() ? FromIssuer(issuer, key_id, now) : FromFile(issuer);
    if (!keys) return Fail(Error(keys.error()).While(doing));
    if (!*keys) return std::nullopt;
    const PublicKey* key = Pick(**keys, key_id);
    if (key != nullptr) return *key;
    return Fail(ErrorCode::kDenied, key_id.empty()
                                        ? "it does not say which of the issuer's keys signed it"
                                        : "it is signed with a key that the issuer does not have");
  }

 private:
  Result<std::shared_ptr<const Keys>> FromFile(const OidcSettings& issuer) {
    const std::string stamp = Stamp(issuer.jwks_file);
    {
      std::lock_guard lock(mutex_);
      const Entry& entry = entries_[issuer.jwks_file];
      if (entry.keys && !stamp.empty() && entry.stamp == stamp) return entry.keys;
    }
    TRY_ASSIGN(const std::string text,
               disk::ReadWholeFile(issuer.jwks_file, kMaxAnswer, Cancel::Never()));
    Result<Keys> parsed = ParseKeySet(text);
    if (!parsed) return Fail(Error(parsed.error()).While(Printable(issuer.jwks_file)));
    auto keys = std::make_shared<const Keys>(*std::move(parsed));
    std::lock_guard lock(mutex_);
    Entry& entry = entries_[issuer.jwks_file];
    entry.keys = keys;
    entry.stamp = stamp;
    return keys;
  }

  /// nullptr while they are being fetched and those from before will not do.
  Result<std::shared_ptr<const Keys>> FromIssuer(const OidcSettings& issuer,
                                                 const std::string& key_id,
                                                 std::int64_t now) {
    std::lock_guard lock(mutex_);
    // By everything that decides what is fetched, so that changed settings do not get old keys.
    Entry& entry = entries_[Cat(issuer.issuer, '\n', issuer.jwks_url, '\n', issuer.ca_pem)];
    const bool fresh = entry.keys && Within(entry.read_at, now, kFreshFor);
    const bool serves = entry.keys && Within(entry.read_at, now, kServeFor);
    const bool known = serves && Pick(*entry.keys, key_id) != nullptr;
    if (!entry.fetching && !(fresh && known)) {
      const std::int64_t pause = fresh ? kUnknownKeyPause : kFailurePause;
      const bool tried = (fresh || entry.failure) && Within(entry.tried_at, now, pause);
      if (!tried) Fetch(entry, issuer, now);
    }
    if (known) return entry.keys;
    if (entry.fetching) return nullptr;
    if (entry.failure) return Fail(*entry.failure);
    return entry.keys;
  }

  /// Begins to; with the lock held.
  void Fetch(Entry& entry, const OidcSettings& issuer, std::int64_t now) {
    entry.fetching = true;
    entry.fetcher = std::make_unique<TaskGroup>(Cancel::Never());
    entry.fetcher->Start("issuer-keys", [this, &entry, issuer, now](const Cancel& cancel) {
      const auto begin = std::chrono::steady_clock::now();
      Result<Keys> fetched = FetchKeys(client_, issuer, cancel.WithTimeout(kPatience, "no answer"));
      std::lock_guard lock(mutex_);
      entry.fetching = false;
      entry.tried_at = now + std::chrono::duration_cast<std::chrono::seconds>(
                                 std::chrono::steady_clock::now() - begin)
                                 .count();
      entry.failure.reset();
      if (fetched) {
        entry.keys = std::make_shared<const Keys>(*std::move(fetched));
        entry.read_at = now;
      } else {
        entry.failure = FailureOf(fetched.error());
      }
      return Result<>();
    });
  }

  http::HttpClient& client_;
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // never erased from: references stay good
};

}  // namespace

std::unique_ptr<IssuerKeys> MakeIssuerKeys(http::HttpClient& client) {
  return std::make_unique<FetchedKeys>(client);
}

}  // namespace depot::identity
