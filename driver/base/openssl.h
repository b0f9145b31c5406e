#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/types.h>

#include "driver/base/result.h"
#include "driver/base/secret.h"

// What every user of OpenSSL needs of it; only declarations come in with this header.

struct ECDSA_SIG_st;
struct X509_extension_st;
struct ossl_param_bld_st;

namespace depot {

struct OpenSslFree {
  void operator()(BIGNUM* object) const;
  void operator()(BIO* object) const;  ///< the whole chain
  void operator()(ECDSA_SIG_st* object) const;
  void operator()(EVP_MD_CTX* object) const;
  void operator()(EVP_PKEY* object) const;
  void operator()(EVP_PKEY_CTX* object) const;
  void operator()(OSSL_PARAM* object) const;
  void operator()(ossl_param_bld_st* object) const;
  void operator()(SSL* object) const;
  void operator()(SSL_CTX* object) const;
  void operator()(X509* object) const;
  void operator()(X509_extension_st* object) const;
};

/// Owns one object of OpenSSL's.
template <typename T>
using OpenSslPtr = std::unique_ptr<T, OpenSslFree>;

/// The bytes as OpenSSL wants them.
inline const unsigned char* Octets(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

/// Reads `text`, which must outlive it.
OpenSslPtr<BIO> MemoryBio(std::string_view text);

/// The newest OpenSSL error of this thread, in lower-case words; clears the queue.
std::string TakeOpenSslReason();

/// nullptr when it is no PEM key without a password; the queue says why. Never asks on a terminal.
OpenSslPtr<EVP_PKEY> ReadPrivateKey(const Secret& pem);

/// Lets `context` identify itself: `chain_pem` is its own certificate and those up to a root.
/// `whose` is for errors (kInvalid): "client", "server".
Result<> UseIdentity(SSL_CTX* context,
                     std::string_view whose,
                     std::string_view chain_pem,
                     const Secret& key_pem);

}  // namespace depot
