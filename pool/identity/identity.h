#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "driver/base/secret.h"
#include "driver/http/client.h"
#include "pool/settings/settings.h"

/// Who asks, and what opens for them: stored tokens, JWTs of a CI, and the certificates that builds
/// get.
namespace depot::identity {

/// Who asks.
struct Caller {
  /// By what they were known.
  enum class Kind { kProjectToken, kUserToken, kOidc };

  Kind kind = Kind::kProjectToken;
  std::string name;                   ///< for the audit line: token id, user, or the JWT's `sub`
  std::vector<std::string> projects;  ///< what opens; never empty
  std::string admitted_by;            ///< a stored token's id, or "oidc:" and the issuer

  bool MayUse(const std::string& project) const;
};

/// Checks bearer tokens against the settings of the moment. Safe to use from several threads.
class Gate {
 public:
  virtual ~Gate() = default;

  /// `now` in seconds since 1970. kDenied when the token opens nothing; the message says why to
  /// somebody who holds it (unknown, revoked, expired, wrong audience, ...) without any part of it.
  /// A text with two dots is taken for a JWT. Never waits: nullopt while the issuer's keys are
  /// being fetched (see IssuerKeys), which takes 10 s at most; ask again. Another code than kDenied
  /// means that the keys could not be had, which says nothing of the token.
  virtual Result<std::optional<Caller>> Admit(const settings::Settings& settings,
                                              const Secret& bearer,
                                              std::int64_t now) = 0;
};

/// `client` must outlive it.
std::unique_ptr<Gate> MakeGate(http::HttpClient& client);

/// Why something that was admitted before may not go on with `project`, for people: its token was
/// revoked, or it does not open the project any more. "" when it may. `admitted_by` is that of the
/// Caller; with "" the project alone counts. A token that has only expired does not end what was
/// begun with it.
std::string Barred(const settings::Settings& settings,
                   const std::string& admitted_by,
                   const std::string& project);

/// A fresh token: prefix, underscore, 43 characters of base64url over 32 random bytes.
Secret NewToken(const std::string& prefix);

/// The token that `secret` makes of a text that only its owner knows: always the same one, of the
/// form of NewToken().
Secret DerivedToken(const std::string& prefix, const Secret& secret, const std::string& of);

/// What is stored of a token: 64 hex digits.
std::string TokenHash(const Secret& token);

}  // namespace depot::identity
