#include <algorithm>

#include <openssl/crypto.h>

#include "pool/identity/identity.h"
#include "pool/identity/issuer_keys.h"
#include "pool/identity/jwt.h"

#include "driver/base/text.h"

namespace depot::identity {
namespace {

using settings::OidcSettings;
using settings::Settings;
using settings::TokenRecord;

constexpr std::size_t kMaxBearer = 16 << 10;
constexpr std::size_t kMaxName = 256;

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

std::unique_ptr<Gate> MakeGate(http::HttpClient& client) {
  return std::make_unique<KeyedGate>(client);
}

}  // namespace depot::identity
