#pragma once

#include <string_view>

#include "driver/base/openssl.h"
#include "driver/base/result.h"

namespace depot::session {

/// The key inside an "OPENSSH PRIVATE KEY", from its bytes after base64 (openssh-portable
/// PROTOCOL.key): RSA, ECDSA or Ed25519. kInvalid says whether it is encrypted, of a kind that
/// cannot be used, or damaged, and holds nothing of the bytes. That its halves belong together is
/// not checked here.
Result<OpenSslPtr<EVP_PKEY>> ReadOpenSshKey(std::string_view bytes);

/// The error of a key that is behind a passphrase, in whatever form.
Error EncryptedSshKey();

}  // namespace depot::session
