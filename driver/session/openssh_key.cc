#include "driver/session/openssh_key.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "driver/base/text.h"
#include "driver/session/ssh_wire.h"

namespace depot::session {
namespace {

constexpr std::string_view kMagic("openssh-key-v1\0", 15);
/// 16384 bits and a sign.
constexpr std::size_t kMaxInteger = 2049;

Error InvalidKey(std::string message) {
  return Error(ErrorCode::kInvalid, std::move(message));
}

Error Damaged() {
  return InvalidKey("the key is damaged");
}

/// The numbers and texts of a key on their way into OpenSSL. They must live until Make().
class Parts {
 public:
  bool Add(const char* name, OpenSslPtr<BIGNUM> number) {
    if (!number || OSSL_PARAM_BLD_push_BN(builder_.get(), name, number.get()) != 1) return false;
    numbers_.push_back(std::move(number));
    return true;
  }

  bool AddText(const char* name, const char* text) {
    return OSSL_PARAM_BLD_push_utf8_string(builder_.get(), name, text, 0) == 1;
  }

  bool AddOctets(const char* name, std::string_view bytes) {
    return OSSL_PARAM_BLD_push_octet_string(builder_.get(), name, bytes.data(), bytes.size()) == 1;
  }

  OpenSslPtr<EVP_PKEY> Make(const char* type) {
    const OpenSslPtr<OSSL_PARAM> parameters(OSSL_PARAM_BLD_to_param(builder_.get()));
    const OpenSslPtr<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters.get()) != 1) {
      return nullptr;
    }
    return OpenSslPtr<EVP_PKEY>(key);
  }

 private:
  OpenSslPtr<OSSL_PARAM_BLD> builder_{OSSL_PARAM_BLD_new()};
  std::vector<OpenSslPtr<BIGNUM>> numbers_;
};

/// null when it is not there, or larger than a key may have it.
OpenSslPtr<BIGNUM> TakeInteger(SshReader& reader) {
  std::string_view bytes;
  if (!reader.TakeString(bytes) || bytes.size() > kMaxInteger) return nullptr;
  return OpenSslPtr<BIGNUM>(BN_bin2bn(Octets(bytes), static_cast<int>(bytes.size()), nullptr));
}

/// `number` modulo `prime` - 1; a file does not have these of d, and OpenSSL wants them.
OpenSslPtr<BIGNUM> ModuloOfPrime(const BIGNUM* number, const BIGNUM* prime) {
  OpenSslPtr<BIGNUM> less(BN_dup(prime));
  OpenSslPtr<BIGNUM> rest(BN_new());
  BN_CTX* context = BN_CTX_new();
  const bool done = less && rest && context != nullptr && BN_sub_word(less.get(), 1) == 1 &&
                    BN_mod(rest.get(), number, less.get(), context) == 1;
  BN_CTX_free(context);
  return done ? std::move(rest) : nullptr;
}

OpenSslPtr<EVP_PKEY> TakeRsa(SshReader& reader) {
  OpenSslPtr<BIGNUM> n = TakeInteger(reader);
  OpenSslPtr<BIGNUM> e = TakeInteger(reader);
  OpenSslPtr<BIGNUM> d = TakeInteger(reader);
  OpenSslPtr<BIGNUM> inverse = TakeInteger(reader);
  OpenSslPtr<BIGNUM> p = TakeInteger(reader);
  OpenSslPtr<BIGNUM> q = TakeInteger(reader);
  if (!n || !e || !d || !inverse || !p || !q) return nullptr;
  OpenSslPtr<BIGNUM> first = ModuloOfPrime(d.get(), p.get());
  OpenSslPtr<BIGNUM> second = ModuloOfPrime(d.get(), q.get());
  Parts parts;
  const bool whole = parts.Add(OSSL_PKEY_PARAM_RSA_N, std::move(n)) &&
                     parts.Add(OSSL_PKEY_PARAM_RSA_E, std::move(e)) &&
                     parts.Add(OSSL_PKEY_PARAM_RSA_D, std::move(d)) &&
                     parts.Add(OSSL_PKEY_PARAM_RSA_FACTOR1, std::move(p)) &&
                     parts.Add(OSSL_PKEY_PARAM_RSA_FACTOR2, std::move(q)) &&
                     parts.Add(OSSL_PKEY_PARAM_RSA_EXPONENT1, std::move(first)) &&
                     parts.Add(OSSL_PKEY_PARAM_RSA_EXPONENT2, std::move(second)) &&
                     parts.Add(OSSL_PKEY_PARAM_RSA_COEFFICIENT1, std::move(inverse));
  return whole ? parts.Make("RSA") : nullptr;
}

OpenSslPtr<EVP_PKEY> TakeEcdsa(SshReader& reader) {
  std::string_view curve;
  std::string_view point;
  if (!reader.TakeString(curve) || !reader.TakeString(point)) return nullptr;
  OpenSslPtr<BIGNUM> scalar = TakeInteger(reader);
  const char* group = curve == "nistp256"   ? "prime256v1"
                      : curve == "nistp384" ? "secp384r1"
                      : curve == "nistp521" ? "secp521r1"
                                            : nullptr;
  Parts parts;
  const bool whole = group != nullptr && parts.AddText(OSSL_PKEY_PARAM_GROUP_NAME, group) &&
                     parts.AddOctets(OSSL_PKEY_PARAM_PUB_KEY, point) &&
                     parts.Add(OSSL_PKEY_PARAM_PRIV_KEY, std::move(scalar));
  return whole ? parts.Make("EC") : nullptr;
}

OpenSslPtr<EVP_PKEY> TakeEd25519(SshReader& reader) {
  constexpr std::size_t kHalf = 32;
  std::string_view own;
  std::string_view pair;
  if (!reader.TakeString(own) || !reader.TakeString(pair) || pair.size() != 2 * kHalf ||
      pair.substr(kHalf) != own) {
    return nullptr;
  }
  return OpenSslPtr<EVP_PKEY>(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Octets(pair), kHalf));
}

/// The section that is encrypted in other keys.
Result<OpenSslPtr<EVP_PKEY>> TakePrivate(std::string_view section) {
  SshReader reader(section);
  std::uint32_t check = 0;
  std::uint32_t again = 0;
  std::string_view type;
  if (!reader.TakeNumber(check) || !reader.TakeNumber(again) || check != again ||
      !reader.TakeString(type)) {
    return Fail(Damaged());
  }
  OpenSslPtr<EVP_PKEY> key;
  if (type == "ssh-rsa") {
    key = TakeRsa(reader);
  } else if (type.starts_with("ecdsa-sha2-")) {
    key = TakeEcdsa(reader);
  } else if (type == "ssh-ed25519") {
    key = TakeEd25519(reader);
  } else if (type.starts_with("sk-")) {
    return Fail(InvalidKey("the key is in a hardware token")
                    .WithHint("give it to an ssh-agent (ssh-add KEY) and write --ssh ID"));
  } else {
    return Fail(InvalidKey("is a kind of key that is not supported")
                    .WithHint("RSA, ECDSA (nistp256, nistp384, nistp521) and Ed25519 are"));
  }
  if (!key) {
    TakeOpenSslReason();
    return Fail(Damaged());
  }
  return key;
}

}  // namespace

Error EncryptedSshKey() {
  return InvalidKey("the key is encrypted with a passphrase")
      .WithHint(
          "give it to an ssh-agent (ssh-add KEY) and write --ssh ID, or use a key without a "
          "passphrase");
}

Result<OpenSslPtr<EVP_PKEY>> ReadOpenSshKey(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return Fail(Damaged());
  SshReader reader(bytes.substr(kMagic.size()));
  std::string_view cipher;
  std::string_view derivation;
  std::string_view options;
  std::uint32_t count = 0;
  if (!reader.TakeString(cipher) || !reader.TakeString(derivation) || !reader.TakeString(options) ||
      !reader.TakeNumber(count)) {
    return Fail(Damaged());
  }
  if (cipher != "none") return Fail(EncryptedSshKey());
  std::string_view public_key;
  std::string_view section;
  // ssh-keygen writes one, and OpenSSH reads no file with more.
  if (count != 1 || !reader.TakeString(public_key) || !reader.TakeString(section)) {
    return Fail(Damaged());
  }
  return TakePrivate(section);
}

}  // namespace depot::session
