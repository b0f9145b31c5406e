#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "driver/base/openssl.h"
#include "driver/base/result.h"
#include "driver/base/secret.h"

namespace depot::session {

/// A private key that signs for ssh: RSA, ECDSA (NIST P-256, P-384, P-521) or Ed25519. Immutable;
/// any thread may use it.
class SshKey {
 public:
  /// From the text of a key file: OpenSSH's own form (openssh-portable PROTOCOL.key), PEM or
  /// PKCS#8. kInvalid says what the text is instead: encrypted, a public key, PuTTY's form, a kind
  /// of key that is not supported, damaged. The error holds nothing of the text.
  static Result<SshKey> Read(const Secret& text);

  /// The public key as ssh has it (RFC 4253 section 6.6, RFC 5656, RFC 8709).
  const std::string& public_blob() const { return public_blob_; }

  /// The signature over `data`, as an agent gives it. `flags` are those of a sign request
  /// (draft-ietf-sshm-ssh-agent, section 3.6): the hash for RSA.
  Result<std::string> Sign(std::string_view data, std::uint32_t flags) const;

 private:
  explicit SshKey(OpenSslPtr<EVP_PKEY> key) : key_(std::move(key)) {}

  std::shared_ptr<EVP_PKEY> key_;
  std::string public_blob_;
};

}  // namespace depot::session
