// A token and an issuer's set of keys, from whoever calls the pool. The first line is the token,
// the rest the set. No token that a fuzzer can make has a signature that holds, and nothing of it
// is in an error.

#include "pool/identity/jwt.h"

#include "pool/identity/public_key.h"
#include "tests/fuzz/pieces.h"

namespace {

using namespace depot;
using fuzz::Expect;

constexpr std::int64_t kNow = 1'800'000'000;

settings::OidcSettings Issuer() {
  settings::OidcSettings issuer;
  issuer.issuer = "https://gitlab.example";
  issuer.audience = "pool";
  issuer.algorithms = {"RS256", "ES256", "EdDSA"};
  return issuer;
}

bool IsPrintable(std::string_view text) {
  for (char c : text)
    if (static_cast<unsigned char>(c) < 0x20) return false;
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view token = text.substr(0, text.find('\n'));
  const auto keys = identity::ParseKeySet(text.substr(std::min(token.size() + 1, size)));
  if (keys) Expect(!keys->empty() && keys->size() <= 100);
  const auto jwt = identity::ParseJwt(Secret(std::string(token)));
  if (!jwt) {
    Expect(jwt.error().code() == ErrorCode::kDenied && IsPrintable(jwt.error().message()));
    return 0;
  }
  Expect(token.starts_with(jwt->signed_part.Reveal()));
  const Result<> claims = identity::CheckClaims(jwt->claims, Issuer(), kNow);
  if (claims) Expect(jwt->claims["exp"].AsInt() > kNow - 61);
  const settings::ClaimRule rule{"one", {{"sub", "me"}}};
  if (identity::Matches(rule, jwt->claims)) Expect(jwt->claims["sub"].AsString() == "me");
  if (!keys) return 0;
  for (const identity::PublicKey& key : *keys) {
    if (key.public_key == nullptr) {
      Expect(!key.refusal.empty());
      continue;
    }
    Expect(
        !identity::CheckSignature(key, jwt->algorithm, jwt->signed_part.Reveal(), jwt->signature));
  }
  return 0;
}
