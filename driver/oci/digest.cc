#include "driver/oci/digest.h"

#include <algorithm>
#include <cstdlib>

#include <openssl/evp.h>

#include "driver/base/encode.h"
#include "driver/base/openssl.h"
#include "driver/base/text.h"

namespace depot {
namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr std::size_t kHexSize = 64;

}  // namespace

struct Sha256::State {
  State() : context(EVP_MD_CTX_new()) {
    // Only memory exhaustion can fail here, and in no case may a wrong digest come out.
    if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) std::abort();
  }

  OpenSslPtr<EVP_MD_CTX> context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}

Sha256::~Sha256() = default;

void Sha256::Update(std::string_view bytes) {
  if (EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) != 1) std::abort();
}

std::string Sha256::Finish() {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  auto* bytes = reinterpret_cast<unsigned char*>(out.data());
  if (EVP_DigestFinal_ex(state_->context.get(), bytes, &size) != 1) std::abort();
  out.resize(size);
  return out;
}

std::string Sha256Hex(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return Hex(hash.Finish());
}

std::string DigestOf(std::string_view bytes) {
  return Cat(kPrefix, Sha256Hex(bytes));
}

bool IsDigest(std::string_view text) {
  if (!text.starts_with(kPrefix)) return false;
  text.remove_prefix(kPrefix.size());
  return text.size() == kHexSize && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace depot
