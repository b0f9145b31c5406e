#include "driver/session/ssh_key.h"

#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include "driver/base/encode.h"
#include "driver/base/text.h"
#include "driver/session/openssh_key.h"
#include "driver/session/ssh_wire.h"

namespace depot::session {
namespace {

constexpr std::uint32_t kRsaSha256 = 2;
constexpr std::uint32_t kRsaSha512 = 4;
/// What ssh-keygen makes at most; larger ones would cost seconds a signature.
constexpr int kMaxRsaBits = 16384;
constexpr std::string_view kBeginOpenSsh = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view kEndOpenSsh = "-----END OPENSSH PRIVATE KEY-----";

/// One of the curves of RFC 5656.
struct Curve {
  std::string_view group;  ///< OpenSSL's name
  std::string_view name;   ///< ssh's
  const char* digest;
};

constexpr std::array<Curve, 3> kCurves = {{{"prime256v1", "nistp256", "SHA256"},
                                           {"secp384r1", "nistp384", "SHA384"},
                                           {"secp521r1", "nistp521", "SHA512"}}};

/// How a key signs.
struct Scheme {
  std::string name;
  const char* digest = nullptr;  ///< null: the key has its own
};

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalid, std::move(message));
}

std::optional<Curve> CurveOf(EVP_PKEY* key) {
  std::array<char, 64> group{};
  std::size_t size = 0;
  if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) != 1) return std::nullopt;
  const std::string_view name(group.data(), size);
  for (const Curve& curve : kCurves) {
    if (curve.group == name) return curve;
  }
  return std::nullopt;
}

std::string BytesOf(const BIGNUM* number) {
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
  // OpenSSL's bytes are unsigned.
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
  return bytes;
}

bool AppendNumber(std::string& out, EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) return false;
  const OpenSslPtr<BIGNUM> owner(number);
  AppendSshInteger(out, BytesOf(number));
  return true;
}

bool AppendOctets(std::string& out, EVP_PKEY* key, const char* name) {
  std::array<unsigned char, 256> octets{};
  std::size_t size = 0;
  if (EVP_PKEY_get_octet_string_param(key, name, octets.data(), octets.size(), &size) != 1) {
    return false;
  }
  AppendSshString(out, {reinterpret_cast<const char*>(octets.data()), size});
  return true;
}

bool AppendPoint(std::string& out, EVP_PKEY* key) {
  // A key file may hold the point in its short form; ssh has the long one.
  return EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                        "uncompressed") == 1 &&
         AppendOctets(out, key, OSSL_PKEY_PARAM_PUB_KEY);
}

/// "" when ssh has no such keys.
std::string PublicBlob(EVP_PKEY* key) {
  std::string blob;
  bool whole = false;
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      AppendSshString(blob, "ssh-rsa");
      whole = EVP_PKEY_get_bits(key) <= kMaxRsaBits &&
              AppendNumber(blob, key, OSSL_PKEY_PARAM_RSA_E) &&
              AppendNumber(blob, key, OSSL_PKEY_PARAM_RSA_N);
      break;
    case EVP_PKEY_EC: {
      const std::optional<Curve> curve = CurveOf(key);
      if (!curve) break;
      AppendSshString(blob, Cat("ecdsa-sha2-", curve->name));
      AppendSshString(blob, curve->name);
      whole = AppendPoint(blob, key);
      break;
    }
    case EVP_PKEY_ED25519:
      AppendSshString(blob, "ssh-ed25519");
      whole = AppendOctets(blob, key, OSSL_PKEY_PARAM_PUB_KEY);
      break;
    default:
      break;
  }
  return whole ? blob : "";
}

Scheme SchemeOf(EVP_PKEY* key, std::uint32_t flags) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      if ((flags & kRsaSha256) != 0) return {"rsa-sha2-256", "SHA256"};
      if ((flags & kRsaSha512) != 0) return {"rsa-sha2-512", "SHA512"};
      return {"ssh-rsa", "SHA1"};
    case EVP_PKEY_EC: {
      const Curve curve = CurveOf(key).value_or(kCurves[0]);
      return {Cat("ecdsa-sha2-", curve.name), curve.digest};
    }
    default:
      return {"ssh-ed25519", nullptr};
  }
}

std::optional<std::string> RawSignature(EVP_PKEY* key, std::string_view data, const char* digest) {
  const OpenSslPtr<EVP_MD_CTX> context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (!context ||
      EVP_DigestSignInit_ex(context.get(), nullptr, digest, nullptr, nullptr, key, nullptr) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, Octets(data), data.size()) != 1) {
    return std::nullopt;
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     Octets(data), data.size()) != 1) {
    return std::nullopt;
  }
  signature.resize(size);
  return signature;
}

/// ECDSA's two numbers as ssh has them (RFC 5656, section 3.1.2).
std::optional<std::string> TwoIntegers(std::string_view der) {
  const unsigned char* at = Octets(der);
  const OpenSslPtr<ECDSA_SIG> signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (!signature) return std::nullopt;
  std::string both;
  AppendSshInteger(both, BytesOf(ECDSA_SIG_get0_r(signature.get())));
  AppendSshInteger(both, BytesOf(ECDSA_SIG_get0_s(signature.get())));
  return both;
}

/// Whether the halves of a key belong together; a damaged one would sign what nobody accepts.
bool SignsForItself(EVP_PKEY* key) {
  constexpr std::string_view kProbe = "probe";
  const Scheme scheme = SchemeOf(key, kRsaSha256);
  const std::optional<std::string> signature = RawSignature(key, kProbe, scheme.digest);
  const OpenSslPtr<EVP_MD_CTX> context(EVP_MD_CTX_new());
  return signature && context &&
         EVP_DigestVerifyInit_ex(context.get(), nullptr, scheme.digest, nullptr, nullptr, key,
                                 nullptr) == 1 &&
         EVP_DigestVerify(context.get(), Octets(*signature), signature->size(), Octets(kProbe),
                          kProbe.size()) == 1;
}

Error NoKey(std::string_view text) {
  text = Trim(text);
  if (text.empty()) return Invalid("is empty: there is no key");
  if (text.starts_with("PuTTY-User-Key-File")) {
    return Invalid("is a key in PuTTY's form")
        .WithHint("convert it: puttygen KEY -O private-openssh -o NEWKEY");
  }
  for (std::string_view start : {"ssh-", "ecdsa-", "sk-", "-----BEGIN PUBLIC", "---- BEGIN SSH2"}) {
    if (text.starts_with(start)) {
      return Invalid("is a public key").WithHint("give the private key, without .pub");
    }
  }
  return Invalid("is no private key").WithHint("OpenSSH's form, PEM and PKCS#8 are read");
}

Result<OpenSslPtr<EVP_PKEY>> ReadOpenSsh(std::string_view text) {
  const std::size_t end = text.find(kEndOpenSsh);
  if (end == std::string_view::npos) return Fail(Invalid("the key is cut off: it has no END line"));
  std::string packed;
  for (char c : text.substr(0, end)) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) packed.push_back(c);
  }
  const Secret letters(std::move(packed));
  std::optional<std::string> decoded = FromBase64(letters.Reveal());
  if (!decoded) return Fail(Invalid("the key is damaged: its text is not base64"));
  const Secret bytes(*std::move(decoded));
  return ReadOpenSshKey(bytes.Reveal());
}

Result<OpenSslPtr<EVP_PKEY>> ReadAny(const Secret& secret) {
  const std::string_view text = secret.Reveal();
  const std::size_t begin = text.find(kBeginOpenSsh);
  if (begin != std::string_view::npos) {
    return ReadOpenSsh(text.substr(begin + kBeginOpenSsh.size()));
  }
  if (text.find("PRIVATE KEY-----") == std::string_view::npos) return Fail(NoKey(text));
  if (text.find("-----BEGIN ENCRYPTED") != std::string_view::npos ||
      text.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos) {
    return Fail(EncryptedSshKey());
  }
  OpenSslPtr<EVP_PKEY> key = ReadPrivateKey(secret);
  if (!key) return Fail(Invalid(Cat("the key is damaged: ", TakeOpenSslReason())));
  return key;
}

}  // namespace

Result<SshKey> SshKey::Read(const Secret& text) {
  TRY_ASSIGN(OpenSslPtr<EVP_PKEY> read, ReadAny(text));
  SshKey key(std::move(read));
  key.public_blob_ = PublicBlob(key.key_.get());
  if (key.public_blob_.empty()) {
    return Fail(Invalid("is a kind of key that is not supported")
                    .WithHint("RSA, ECDSA (nistp256, nistp384, nistp521) and Ed25519 are"));
  }
  if (!SignsForItself(key.key_.get())) {
    return Fail(Invalid(Cat("the key is damaged: ", TakeOpenSslReason())));
  }
  return key;
}

Result<std::string> SshKey::Sign(std::string_view data, std::uint32_t flags) const {
  const Scheme scheme = SchemeOf(key_.get(), flags);
  std::optional<std::string> raw = RawSignature(key_.get(), data, scheme.digest);
  if (raw && EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_EC) raw = TwoIntegers(*raw);
  if (!raw) return Fail(ErrorCode::kFailed, Cat("cannot sign: ", TakeOpenSslReason()));
  std::string signature;
  AppendSshString(signature, scheme.name);
  AppendSshString(signature, *raw);
  return signature;
}

}  // namespace depot::session
