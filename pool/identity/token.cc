#include "driver/base/encode.h"
#include "driver/base/random.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "pool/identity/identity.h"

namespace depot::identity {

Secret NewToken(const std::string& prefix) {
  std::string text = Base64Url(RandomBytes(32));
  text.resize(text.find('='));
  return Secret(Cat(prefix, '_', text));
}

std::string TokenHash(const Secret& token) {
  return Sha256Hex(token.Reveal());
}

}  // namespace depot::identity
