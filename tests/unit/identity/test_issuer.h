#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/text.h"

namespace depot::test {

inline std::string Base64Url(std::string_view bytes) {
  std::string text = Base64(bytes);
  text.erase(std::min(text.find('='), text.size()));
  for (char& c : text) {
    if (c == '+') c = '-';
    if (c == '/') c = '_';
  }
  return text;
}

/// A key pair that signs JWTs as an issuer does.
class TestKey {
 public:
  static TestKey Rsa(const std::string& id, std::size_t bits = 2048) {
    return {id, "RSA", EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", bits)};
  }
  static TestKey Curve(const std::string& id, const char* curve) {
    return {id, curve, EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve)};
  }
  static TestKey Ed25519(const std::string& id) {
    return {id, "Ed25519", EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
  }

  /// The public half as an entry of a key set.
  Json Jwk() const {
    Json jwk;
    if (!id_.empty()) jwk.Set("kid", Json::String(id_));
    if (type_ == "RSA") {
      jwk.Set("kty", Json::String("RSA"));
      jwk.Set("n", Json::String(Base64Url(Number(OSSL_PKEY_PARAM_RSA_N, 0))));
      jwk.Set("e", Json::String(Base64Url(Number(OSSL_PKEY_PARAM_RSA_E, 0))));
      return jwk;
    }
    jwk.Set("crv", Json::String(type_));
    if (type_ == "Ed25519") {
      std::string raw(32, '\0');
      std::size_t size = raw.size();
      EVP_PKEY_get_raw_public_key(key_.get(), Bytes(raw), &size);
      jwk.Set("kty", Json::String("OKP"));
      jwk.Set("x", Json::String(Base64Url(raw)));
      return jwk;
    }
    jwk.Set("kty", Json::String("EC"));
    jwk.Set("x", Json::String(Base64Url(Number(OSSL_PKEY_PARAM_EC_PUB_X, Coordinate()))));
    jwk.Set("y", Json::String(Base64Url(Number(OSSL_PKEY_PARAM_EC_PUB_Y, Coordinate()))));
    return jwk;
  }

  /// A JWT with this key's id. `header` adds to the header or changes it.
  std::string Sign(std::string_view algorithm,
                   const Json& claims,
                   const std::vector<std::pair<std::string, Json>>& header = {}) const {
    Json head;
    head.Set("alg", Json::String(algorithm));
    head.Set("typ", Json::String("JWT"));
    if (!id_.empty()) head.Set("kid", Json::String(id_));
    for (const auto& [name, value] : header)
      head.Set(name, value);
    const std::string message = Cat(Base64Url(head.Dump()), '.', Base64Url(claims.Dump()));
    return Cat(message, '.', Base64Url(Signature(algorithm, message)));
  }

  std::string Signature(std::string_view algorithm, std::string_view message) const {
    std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* settings = nullptr;
    const EVP_MD* digest = algorithm.ends_with("384")   ? EVP_sha384()
                           : algorithm.ends_with("512") ? EVP_sha512()
                                                        : EVP_sha256();
    EVP_DigestSignInit(context.get(), &settings, algorithm == "EdDSA" ? nullptr : digest, nullptr,
                       key_.get());
    if (algorithm.starts_with("PS")) {
      EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING);
      EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST);
    }
    std::string signature(1024, '\0');
    std::size_t size = signature.size();
    EVP_DigestSign(context.get(), Bytes(signature), &size,
                   reinterpret_cast<const unsigned char*>(message.data()), message.size());
    signature.resize(size);
    return type_.starts_with("P-") ? Pair(signature) : signature;
  }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };

  TestKey(std::string id, std::string type, EVP_PKEY* key)
      : id_(std::move(id)), type_(std::move(type)), key_(key, Free()) {}

  static unsigned char* Bytes(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
  }

  int Coordinate() const { return type_ == "P-384" ? 48 : 32; }

  /// `size` 0 = as many bytes as it has.
  std::string Number(const char* name, int size) const {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &number);
    std::string bytes(static_cast<std::size_t>(size == 0 ? BN_num_bytes(number) : size), '\0');
    BN_bn2binpad(number, Bytes(bytes), static_cast<int>(bytes.size()));
    BN_free(number);
    return bytes;
  }

  /// r and s side by side.
  std::string Pair(const std::string& der) const {
    const auto* in = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size()));
    std::string pair(static_cast<std::size_t>(2 * Coordinate()), '\0');
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), Bytes(pair), Coordinate());
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), Bytes(pair) + Coordinate(), Coordinate());
    ECDSA_SIG_free(signature);
    return pair;
  }

  std::string id_;
  std::string type_;
  std::shared_ptr<EVP_PKEY> key_;
};

/// A JWK set.
inline std::string KeySet(const std::vector<Json>& keys) {
  Json list = Json::Array();
  for (const Json& key : keys)
    list.Append(key);
  Json set;
  set.Set("keys", std::move(list));
  return set.Dump();
}

}  // namespace depot::test
