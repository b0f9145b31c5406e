#pragma once

#include <string>
#include <string_view>

#include "driver/base/result.h"
#include "driver/base/secret.h"

/// Proves to a builder that two sessions belong to one owner of credentials, so that it may reuse a
/// token it has (BuildKit session/auth/authprovider/tokenseed.go, authprovider.go): an Ed25519 key
/// whose seed is HMAC-SHA256 with the builder's salt as the key.
namespace depot::session {

/// The 32-byte public key. `seed` is the host's, or empty for a host without credentials.
Result<std::string> AuthorityPublicKey(const Secret& seed, std::string_view salt);

/// NaCl's signed form: the 64-byte signature, then the payload.
Result<std::string> AuthoritySign(const Secret& seed,
                                  std::string_view salt,
                                  std::string_view payload);

}  // namespace depot::session
