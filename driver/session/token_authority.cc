#include "driver/session/token_authority.h"

#include <array>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "driver/base/openssl.h"

namespace depot::session {
namespace {

constexpr std::size_t kKeySize = 32;
constexpr std::size_t kSignatureSize = 64;

tl::unexpected<Error> Broken() {
  return Fail(ErrorCode::kInternal, "cannot compute the token authority's Ed25519 key");
}

Result<OpenSslPtr<EVP_PKEY>> DeriveKey(const Secret& seed, std::string_view salt) {
  std::array<unsigned char, kKeySize> key_seed{};
  unsigned length = 0;
  std::string_view message = seed.Reveal();
  // An empty view may hold a null pointer, which HMAC takes for "keep the last key".
  const unsigned char* key = salt.empty() ? key_seed.data() : Octets(salt);
  if (HMAC(EVP_sha256(), key, static_cast<int>(salt.size()), Octets(message), message.size(),
           key_seed.data(), &length) == nullptr ||
      length != kKeySize) {
    return Broken();
  }
  OpenSslPtr<EVP_PKEY> result(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, key_seed.data(), key_seed.size()));
  OPENSSL_cleanse(key_seed.data(), key_seed.size());
  if (!result) return Broken();
  return result;
}

}  // namespace

Result<std::string> AuthorityPublicKey(const Secret& seed, std::string_view salt) {
  TRY_ASSIGN(OpenSslPtr<EVP_PKEY> key, DeriveKey(seed, salt));
  std::string out(kKeySize, '\0');
  std::size_t size = out.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(out.data()), &size) !=
          1 ||
      size != kKeySize) {
    return Broken();
  }
  return out;
}

Result<std::string> AuthoritySign(const Secret& seed,
                                  std::string_view salt,
                                  std::string_view payload) {
  TRY_ASSIGN(OpenSslPtr<EVP_PKEY> key, DeriveKey(seed, salt));
  OpenSslPtr<EVP_MD_CTX> context(EVP_MD_CTX_new());
  std::string out(kSignatureSize, '\0');
  std::size_t size = out.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                     Octets(payload), payload.size()) != 1 ||
      size != kSignatureSize) {
    return Broken();
  }
  out.append(payload);
  return out;
}

}  // namespace depot::session
