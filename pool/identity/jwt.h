#pragma once

#include <cstdint>
#include <string>

#include "driver/base/json.h"
#include "driver/base/result.h"
#include "driver/base/secret.h"
#include "pool/settings/settings.h"

namespace depot::identity {

/// A JSON Web Token taken apart (RFC 7515 section 3.1, RFC 7519). Nothing of it is proven: that is
/// what CheckSignature() is for.
struct Jwt {
  std::string algorithm;  ///< `alg`
  std::string key_id;     ///< `kid`; "" = none
  Json claims;
  Secret signed_part;  ///< what the signature is over
  std::string signature;
};

/// kDenied with the reason, and no part of the token in it, when the text is no JWT, or one with
/// extensions that must be understood (`crit`).
Result<Jwt> ParseJwt(const Secret& token);

/// Whether claims of a token of the issuer hold here and now: `aud`, `exp`, and `nbf` and `iat`
/// with 60 s of leeway. kDenied with the reason when not.
Result<> CheckClaims(const Json& claims, const settings::OidcSettings& issuer, std::int64_t now);

/// Whether the claims are what the rule asks for. Booleans and whole numbers count as their text.
bool Matches(const settings::ClaimRule& rule, const Json& claims);

}  // namespace depot::identity
