#include <array>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "driver/base/encode.h"
#include "driver/base/random.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "pool/identity/identity.h"

namespace depot::identity {

namespace {

Secret TokenText(const std::string& prefix, std::string_view bytes) {
  std::string text = Base64Url(bytes);
  text.resize(text.find('='));
  return Secret(Cat(prefix, '_', text));
}

}  // namespace

Secret NewToken(const std::string& prefix) {
  return TokenText(prefix, RandomBytes(32));
}

Secret DerivedToken(const std::string& prefix, const Secret& secret, const std::string& of) {
  std::array<unsigned char, 32> bytes{};
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.Reveal().data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(of.data()), of.size(), bytes.data(), &size);
  return TokenText(prefix, {reinterpret_cast<const char*>(bytes.data()), size});
}

std::string TokenHash(const Secret& token) {
  return Sha256Hex(token.Reveal());
}

}  // namespace depot::identity
