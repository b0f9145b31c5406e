#include "pool/identity/public_key.h"

#include <algorithm>
#include <array>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/openssl.h"
#include "driver/base/text.h"

namespace depot::identity {
namespace {

constexpr std::size_t kMaxKeys = 100;
constexpr int kLeastRsaBits = 2048;
constexpr std::size_t kEd25519KeySize = 32;

/// How a JWS algorithm signs.
struct Algorithm {
  std::string_view name;
  std::string_view key_type;
  const EVP_MD* (*digest)();   // nullptr: the key has its own
  bool pss = false;            // RSA alone
  std::size_t coordinate = 0;  // bytes of r and of s; 0 = the signature is OpenSSL's own form
};

constexpr std::array<Algorithm, 7> kAlgorithms{{
    {"RS256", "RSA", EVP_sha256, false, 0},
    {"RS384", "RSA", EVP_sha384, false, 0},
    {"RS512", "RSA", EVP_sha512, false, 0},
    {"PS256", "RSA", EVP_sha256, true, 0},
    {"ES256", "P-256", EVP_sha256, false, 32},
    {"ES384", "P-384", EVP_sha384, false, 48},
    {"EdDSA", "Ed25519", nullptr, false, 0},
}};

/// A curve of a JWK and what OpenSSL calls it.
struct Curve {
  std::string_view name;
  const char* group;
  std::size_t coordinate;
};

constexpr std::array<Curve, 2> kCurves{{{"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}}};

OpenSslPtr<BIGNUM> Number(std::string_view bytes) {
  return OpenSslPtr<BIGNUM>(BN_bin2bn(Octets(bytes), static_cast<int>(bytes.size()), nullptr));
}

/// A member of a JWK that is bytes in base64url; "" when it is absent or malformed.
std::string Bytes(const Json& jwk, std::string_view member) {
  return FromBase64Url(jwk[member].AsString()).value_or("");
}

/// nullptr when the values are not a key of this type, or one that is no sound public key.
OpenSslPtr<EVP_PKEY> KeyFrom(const char* type, OSSL_PARAM_BLD* builder) {
  const OpenSslPtr<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(builder));
  const OpenSslPtr<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* made = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;
  }
  OpenSslPtr<EVP_PKEY> key(made);
  const OpenSslPtr<EVP_PKEY_CTX> check(EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
  return check && EVP_PKEY_public_check(check.get()) == 1 ? std::move(key) : nullptr;
}

OpenSslPtr<EVP_PKEY> RsaKey(const Json& jwk) {
  const OpenSslPtr<BIGNUM> modulus = Number(Bytes(jwk, "n"));
  const OpenSslPtr<BIGNUM> exponent = Number(Bytes(jwk, "e"));
  const OpenSslPtr<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  if (!modulus || !exponent || !builder ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
    return nullptr;
  }
  return KeyFrom("RSA", builder.get());
}

OpenSslPtr<EVP_PKEY> CurveKey(const Json& jwk, const Curve& curve) {
  const std::string x = Bytes(jwk, "x");
  const std::string y = Bytes(jwk, "y");
  if (x.size() != curve.coordinate || y.size() != curve.coordinate) return nullptr;
  const std::string point = Cat('\x04', x, y);
  const OpenSslPtr<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.group, 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return nullptr;
  }
  return KeyFrom("EC", builder.get());
}

OpenSslPtr<EVP_PKEY> EdwardsKey(const Json& jwk) {
  const std::string x = Bytes(jwk, "x");
  if (x.size() != kEd25519KeySize) return nullptr;
  return OpenSslPtr<EVP_PKEY>(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Octets(x), x.size()));
}

bool IsForSignatures(const Json& jwk) {
  if (jwk.Has("use") && jwk["use"].AsString() != "sig") return false;
  const Json operations = jwk["key_ops"];
  if (!jwk.Has("key_ops")) return true;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (operations[i].AsString() == "verify") return true;
  }
  return false;
}

PublicKey ParseKey(const Json& jwk) {
  PublicKey key;
  key.id = jwk["kid"].AsString();
  key.algorithm = jwk["alg"].AsString();
  const std::string kind = jwk["kty"].AsString();
  const std::string curve_name = jwk["crv"].AsString();
  const auto* curve = std::find_if(kCurves.begin(), kCurves.end(),
                                   [&](const Curve& known) { return known.name == curve_name; });
  OpenSslPtr<EVP_PKEY> made;
  if (!IsForSignatures(jwk)) {
    key.refusal = "is not for signatures";
  } else if (kind == "RSA") {
    key.type = "RSA";
    made = RsaKey(jwk);
  } else if (kind == "EC" && curve != kCurves.end()) {
    key.type = curve->name;
    made = CurveKey(jwk, *curve);
  } else if (kind == "OKP" && curve_name == "Ed25519") {
    key.type = "Ed25519";
    made = EdwardsKey(jwk);
  } else {
    key.refusal = "is of a kind that is not supported";
  }
  ERR_clear_error();
  if (key.refusal.empty() && !made) key.refusal = "is malformed";
  if (made && key.type == "RSA" && EVP_PKEY_get_bits(made.get()) < kLeastRsaBits) {
    key.refusal = Cat("is an RSA key of fewer than ", kLeastRsaBits, " bits");
  }
  if (key.refusal.empty()) key.public_key = std::move(made);
  return key;
}

/// JWS has r and s side by side, OpenSSL wants them in DER; "" when the size is wrong.
std::string DerSignature(std::string_view pair, std::size_t coordinate) {
  if (pair.size() != 2 * coordinate) return "";
  const OpenSslPtr<ECDSA_SIG> signature(ECDSA_SIG_new());
  OpenSslPtr<BIGNUM> r = Number(pair.substr(0, coordinate));
  OpenSslPtr<BIGNUM> s = Number(pair.substr(coordinate));
  if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.release(), s.release()) != 1) {
    return "";
  }
  const int size = i2d_ECDSA_SIG(signature.get(), nullptr);
  std::string der(static_cast<std::size_t>(std::max(size, 0)), '\0');
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  return size > 0 && i2d_ECDSA_SIG(signature.get(), &out) == size ? der : "";
}

bool Verify(const Algorithm& algorithm,
            EVP_PKEY* key,
            std::string_view message,
            std::string_view signature) {
  const OpenSslPtr<EVP_MD_CTX> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* settings = nullptr;  // the context's own
  const EVP_MD* digest = algorithm.digest == nullptr ? nullptr : algorithm.digest();
  if (!context || EVP_DigestVerifyInit(context.get(), &settings, digest, nullptr, key) != 1) {
    return false;
  }
  if (algorithm.pss && (EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) != 1 ||
                        EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) != 1)) {
    return false;
  }
  return EVP_DigestVerify(context.get(), Octets(signature), signature.size(), Octets(message),
                          message.size()) == 1;
}

}  // namespace

Result<std::vector<PublicKey>> ParseKeySet(std::string_view json) {
  TRY_ASSIGN(const Json set, Json::Parse(json));
  const Json entries = set["keys"];
  if (!entries.is_array() || entries.size() == 0) {
    return Fail(ErrorCode::kInvalid, "not a JWK set: it has no list `keys`");
  }
  if (entries.size() > kMaxKeys) {
    return Fail(ErrorCode::kInvalid, Cat("the JWK set has more than ", kMaxKeys, " keys"));
  }
  std::vector<PublicKey> keys;
  for (std::size_t i = 0; i < entries.size(); ++i)
    keys.push_back(ParseKey(entries[i]));
  return keys;
}

Result<> CheckSignature(const PublicKey& key,
                        std::string_view algorithm,
                        std::string_view message,
                        std::string_view signature) {
  if (!key.public_key) {
    return Fail(ErrorCode::kDenied, Cat("the issuer's key that it names ", key.refusal));
  }
  const auto* known = std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                                   [&](const Algorithm& entry) { return entry.name == algorithm; });
  if (known == kAlgorithms.end() || known->key_type != key.type ||
      (!key.algorithm.empty() && key.algorithm != algorithm)) {
    return Fail(ErrorCode::kDenied, "its algorithm does not fit the issuer's key");
  }
  const std::string der =
      known->coordinate == 0 ? std::string(signature) : DerSignature(signature, known->coordinate);
  const bool valid = !der.empty() && Verify(*known, key.public_key.get(), message, der);
  ERR_clear_error();
  if (!valid) return Fail(ErrorCode::kDenied, "its signature is not the issuer's");
  return {};
}

}  // namespace depot::identity
