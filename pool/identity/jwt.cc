#include "pool/identity/jwt.h"

#include <algorithm>
#include <optional>

#include "driver/base/encode.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::identity {
namespace {

constexpr std::int64_t kLeeway = 60;  // seconds

tl::unexpected<Error> Refused(std::string_view why) {
  return Fail(ErrorCode::kDenied, std::string(why));
}

/// A part of the token that must be a JSON object.
std::optional<Json> Object(std::string_view part) {
  const std::optional<std::string> text = FromBase64Url(part);
  if (!text) return std::nullopt;
  Result<Json> json = Json::Parse(*text);
  if (!json || !json->is_object()) return std::nullopt;
  return *std::move(json);
}

bool IsFor(const Json& audience, std::string_view wanted) {
  if (audience.is_string()) return audience.AsString() == wanted;
  if (!audience.is_array()) return false;
  for (std::size_t i = 0; i < audience.size(); ++i) {
    if (audience[i].is_string() && audience[i].AsString() == wanted) return true;
  }
  return false;
}

/// A time claim that may be absent but must be a whole number otherwise.
bool NotAfter(const Json& claims, std::string_view name, std::int64_t latest) {
  if (!claims.Has(name)) return true;
  return claims[name].AsInt(latest + 1) <= latest;
}

/// nullopt for what has no text: lists, objects, null.
std::optional<std::string> ClaimText(const Json& value) {
  if (value.is_string()) return value.AsString();
  if (value.type() == Json::Type::kBool || value.type() == Json::Type::kNumber) return value.Dump();
  return std::nullopt;
}

bool Fits(std::string_view value, std::string_view wanted) {
  if (!wanted.ends_with('*')) return value == wanted;
  return value.starts_with(wanted.substr(0, wanted.size() - 1));
}

}  // namespace

Result<Jwt> ParseJwt(const Secret& token) {
  const std::string_view text = token.Reveal();
  const std::vector<std::string_view> parts = Split(text, '.');
  if (parts.size() != 3) return Refused("it is not a JWT");
  const std::optional<Json> header = Object(parts[0]);
  const std::optional<Json> claims = Object(parts[1]);
  std::optional<std::string> signature = FromBase64Url(parts[2]);
  if (!header || !claims || !signature) return Refused("it is not a well-formed JWT");
  if (header->Has("crit")) return Refused("it asks for extensions (crit) that are not supported");
  Jwt jwt;
  jwt.algorithm = (*header)["alg"].AsString();
  jwt.key_id = (*header)["kid"].AsString();
  jwt.claims = *claims;
  jwt.signed_part = Secret(std::string(text.substr(0, text.rfind('.'))));
  jwt.signature = *std::move(signature);
  return jwt;
}

Result<> CheckClaims(const Json& claims, const settings::OidcSettings& issuer, std::int64_t now) {
  if (!IsFor(claims["aud"], issuer.audience)) {
    return Refused(Cat("its audience (aud) is not ", Printable(issuer.audience)));
  }
  if (claims["exp"].AsInt(0) <= now) return Refused("it has expired, or has no expiry (exp)");
  if (!NotAfter(claims, "nbf", now + kLeeway)) return Refused("it is not valid yet (nbf)");
  if (!NotAfter(claims, "iat", now + kLeeway)) return Refused("it comes from the future (iat)");
  return {};
}

bool Matches(const settings::ClaimRule& rule, const Json& claims) {
  // A rule without claims would open its project to everybody.
  return !rule.claims.empty() &&
         std::all_of(rule.claims.begin(), rule.claims.end(), [&](const auto& wanted) {
           const std::optional<std::string> value = ClaimText(claims[wanted.first]);
           return value && Fits(*value, wanted.second);
         });
}

}  // namespace depot::identity
