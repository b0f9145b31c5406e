#include "driver/base/openssl.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "driver/base/text.h"

namespace depot {

void OpenSslFree::operator()(BIGNUM* object) const {
  BN_clear_free(object);
}
void OpenSslFree::operator()(BIO* object) const {
  BIO_free_all(object);
}
void OpenSslFree::operator()(ECDSA_SIG_st* object) const {
  ECDSA_SIG_free(object);
}
void OpenSslFree::operator()(EVP_MD_CTX* object) const {
  EVP_MD_CTX_free(object);
}
void OpenSslFree::operator()(EVP_PKEY* object) const {
  EVP_PKEY_free(object);
}
void OpenSslFree::operator()(EVP_PKEY_CTX* object) const {
  EVP_PKEY_CTX_free(object);
}
void OpenSslFree::operator()(OSSL_PARAM* object) const {
  OSSL_PARAM_free(object);
}
void OpenSslFree::operator()(ossl_param_bld_st* object) const {
  OSSL_PARAM_BLD_free(object);
}
void OpenSslFree::operator()(SSL* object) const {
  SSL_free(object);
}
void OpenSslFree::operator()(SSL_CTX* object) const {
  SSL_CTX_free(object);
}
void OpenSslFree::operator()(X509* object) const {
  X509_free(object);
}
void OpenSslFree::operator()(X509_extension_st* object) const {
  X509_EXTENSION_free(object);
}

OpenSslPtr<BIO> MemoryBio(std::string_view text) {
  return OpenSslPtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string TakeOpenSslReason() {
  unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason ? LowerAscii(reason) : "unknown error";
}

OpenSslPtr<EVP_PKEY> ReadPrivateKey(const Secret& pem) {
  OpenSslPtr<BIO> bio = MemoryBio(pem.Reveal());
  // Without a password callback OpenSSL would ask on the terminal.
  auto no_password = [](char*, int, int, void*) { return 0; };
  return OpenSslPtr<EVP_PKEY>(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
}

Result<> UseIdentity(SSL_CTX* context,
                     std::string_view whose,
                     std::string_view chain_pem,
                     const Secret& key_pem) {
  OpenSslPtr<BIO> chain = MemoryBio(chain_pem);
  OpenSslPtr<X509> leaf(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return Fail(
        Error(ErrorCode::kInvalid,
              Cat("the ", whose, " certificate is not PEM: ", TakeOpenSslReason()))
            .WithHint(Cat("the ", whose, "'s own certificate comes first, then its chain")));
  }
  while (X509* next = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
    SSL_CTX_add_extra_chain_cert(context, next);  // takes it over
  }
  ERR_clear_error();
  OpenSslPtr<EVP_PKEY> key = ReadPrivateKey(key_pem);
  if (!key) {
    return Fail(
        Error(ErrorCode::kInvalid,
              Cat("the ", whose, " key is not an unencrypted PEM key: ", TakeOpenSslReason()))
            .WithHint("openssl pkey -in KEY takes a password off"));
  }
  // A key of another kind than the certificate's is taken by the first call without a word.
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return Fail(
        Error(ErrorCode::kInvalid,
              Cat(whose, " certificate and key do not belong together: ", TakeOpenSslReason()))
            .WithHint("the first certificate must be the key's"));
  }
  return {};
}

}  // namespace depot
