#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"

struct evp_pkey_st;

namespace depot::identity {

/// One key of an issuer's set (RFC 7517). A value; safe to use from several threads.
struct PublicKey {
  std::string id;                           ///< `kid`; "" = none
  std::string algorithm;                    ///< `alg`, the only one it is for; "" = any that fits
  std::string type;                         ///< RSA, P-256, P-384 or Ed25519
  std::string refusal;                      ///< why it is not used; "" = it is
  std::shared_ptr<evp_pkey_st> public_key;  ///< nullptr with a refusal
};

/// Reads a JWK set. Keys that are not for signatures or of a kind that is not supported, and RSA
/// keys below 2048 bits, stay in it with a refusal. kInvalid when it is no set, has more than 100
/// keys or none.
Result<std::vector<PublicKey>> ParseKeySet(std::string_view json);

/// Whether `signature` is the key's over `message`, made as `algorithm` says (RFC 7518 section 3.1,
/// RFC 8037). kDenied when it is not, and when the algorithm is not known or not the key's.
Result<> CheckSignature(const PublicKey& key,
                        std::string_view algorithm,
                        std::string_view message,
                        std::string_view signature);

}  // namespace depot::identity
