#include <algorithm>

#include <openssl/crypto.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "pool/identity/identity.h"
#include "pool/identity/issuer_keys.h"
#include "pool/identity/jwt.h"

namespace depot::identity {
namespace {

using settings::OidcSettings;
using settings::Settings;
using settings::TokenRecord;

constexpr std::size_t kMaxBearer = 16 << 10;
constexpr std::size_t kMaxName = 256;

/// No token's id has a colon.
constexpr std::string_view kOidcPrefix = "oidc:";

Error Denied(std::string_view why) {
  return Error(ErrorCode::kDenied, std::string(why));
}

/// The record of a hash, in a time that does not tell how much of a hash was right.
const TokenRecord* FindRecord(const Settings& settings, const std::string& hash) {
  const TokenRecord* found = nullptr;
  for (const TokenRecord& record : settings.tokens) {
    if (record.sha256.size() == hash.size() &&
        CRYPTO_memcmp(record.sha256.data(), hash.data(), hash.size()) == 0) {
      found = &record;
    }
  }
  return found;
}

Result<Caller> AdmitStored(const Settings& settings, const Secret& bearer, std::int64_t now) {
  const TokenRecord* record = FindRecord(settings, TokenHash(bearer));
  if (record == nullptr) return Fail(Denied("the token is not known here"));
  if (record->revoked) return Fail(Denied(Cat("the token ", record->id, " was revoked")));
  if (record->expires_at != 0 && record->expires_at <= now) {
    return Fail(Denied(Cat("the token ", record->id, " has expired")));
  }
  Caller caller;
  caller.admitted_by = record->id;
  if (record->user.empty()) {
    caller.kind = Caller::Kind::kProjectToken;
    caller.name = record->id;
    if (settings.FindProject(record->project) != nullptr) caller.projects = {record->project};
  } else {
    caller.kind = Caller::Kind::kUserToken;
    caller.name = record->user;
    const settings::UserSettings* user = settings.FindUser(record->user);
    if (user != nullptr) caller.projects = user->projects;
  }
  if (caller.projects.empty()) {
    return Fail(Denied(Cat("the token ", record->id, " opens no project any more")));
  }
  return caller;
}

std::string BarredIssuer(const Settings& settings,
                         std::string_view issuer,
                         const std::string& project) {
  for (const OidcSettings& entry : settings.oidc) {
    if (entry.issuer != issuer) continue;
    for (const settings::ClaimRule& rule : entry.rules) {
      if (rule.project == project) return "";
    }
  }
  return Cat("tokens of ", Printable(issuer), " do not open project ", project, " any more");
}

class KeyedGate final : public Gate {
 public:
  explicit KeyedGate(http::HttpClient& client) : keys_(MakeIssuerKeys(client)) {}

  Result<std::optional<Caller>> Admit(const Settings& settings,
                                      const Secret& bearer,
                                      std::int64_t now) override {
    const std::string_view text = bearer.Reveal();
    if (text.empty()) return Fail(Denied("there is no token"));
    if (text.size() > kMaxBearer) return Fail(Denied("the token is longer than any token is"));
    if (std::count(text.begin(), text.end(), '.') != 2) return AdmitStored(settings, bearer, now);
    Result<std::optional<Caller>> caller = AdmitJwt(settings, bearer, now);
    if (!caller) return Fail(Error(caller.error()).While("the OIDC token was not accepted"));
    return caller;
  }

 private:
  Result<std::optional<Caller>> AdmitJwt(const Settings& settings,
                                         const Secret& bearer,
                                         std::int64_t now) {
    TRY_ASSIGN(const Jwt jwt, ParseJwt(bearer));
    const std::string name = jwt.claims["iss"].AsString();
    const auto issuer =
        std::find_if(settings.oidc.begin(), settings.oidc.end(),
                     [&](const OidcSettings& entry) { return entry.issuer == name; });
    if (issuer == settings.oidc.end()) {
      return Fail(Denied("its issuer (iss) is none that this pool trusts"));
    }
    const auto& allowed = issuer->algorithms;
    if (std::find(allowed.begin(), allowed.end(), jwt.algorithm) == allowed.end()) {
      return Fail(Denied("its algorithm (alg) is not allowed for this issuer"));
    }
    // Before its issuer is asked for anything: that part anybody can say.
    TRY(CheckClaims(jwt.claims, *issuer, now));
    TRY_ASSIGN(const std::optional<PublicKey> key, keys_->Find(*issuer, jwt.key_id, now));
    if (!key) return std::nullopt;
    TRY(CheckSignature(*key, jwt.algorithm, jwt.signed_part.Reveal(), jwt.signature));
    return CallerOf(jwt.claims, *issuer);
  }

  static Result<Caller> CallerOf(const Json& claims, const OidcSettings& issuer) {
    Caller caller;
    caller.kind = Caller::Kind::kOidc;
    caller.admitted_by = Cat(kOidcPrefix, issuer.issuer);
    caller.name = Printable(claims["sub"].AsString().substr(0, kMaxName));
    for (const settings::ClaimRule& rule : issuer.rules) {
      if (Matches(rule, claims) && !caller.MayUse(rule.project)) {
        caller.projects.push_back(rule.project);
      }
    }
    if (caller.projects.empty()) {
      return Fail(Denied("its claims open no project of this pool")
                      .WithHint("compare them with `allow` in the pool's settings"));
    }
    return caller;
  }

  std::unique_ptr<IssuerKeys> keys_;
};

}  // namespace

std::string Barred(const Settings& settings,
                   const std::string& admitted_by,
                   const std::string& project) {
  if (settings.FindProject(project) == nullptr) {
    return Cat("there is no project ", project, " any more");
  }
  if (admitted_by.empty()) return "";
  if (admitted_by.starts_with(kOidcPrefix)) {
    return BarredIssuer(settings, std::string_view(admitted_by).substr(kOidcPrefix.size()),
                        project);
  }
  const auto record =
      std::find_if(settings.tokens.begin(), settings.tokens.end(),
                   [&](const TokenRecord& entry) { return entry.id == admitted_by; });
  if (record == settings.tokens.end() || record->revoked) {
    return Cat("the token ", admitted_by, " was revoked");
  }
  const settings::UserSettings* user = settings.FindUser(record->user);
  const bool opens = user == nullptr ? record->project == project
                                     : std::find(user->projects.begin(), user->projects.end(),
                                                 project) != user->projects.end();
  return opens ? ""
               : Cat("the token ", admitted_by, " does not open project ", project, " any more");
}

std::unique_ptr<Gate> MakeGate(http::HttpClient& client) {
  return std::make_unique<KeyedGate>(client);
}

}  // namespace depot::identity
