#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <crypt.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "driver/base/encode.h"
#include "driver/base/openssl.h"
#include "driver/base/random.h"
#include "driver/base/secret.h"
#include "plugin/hcl/functions.h"

namespace depot::hcl {

namespace {

Result<std::string> Digest(std::string_view bytes, const EVP_MD* method) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, method, nullptr) != 1)
    return Refuse("this OpenSSL does not have the digest: " + TakeOpenSslReason());
  return std::string(out.begin(), out.begin() + size);
}

Result<Value> HexDigest(const Arguments& arguments, const EVP_MD* method) {
  TRY_ASSIGN(auto digest, Digest(arguments[0].AsString(), method));
  return Value::String(Hex(digest));
}

Result<Value> Md5(const Arguments& arguments) {
  return HexDigest(arguments, EVP_md5());
}

Result<Value> Sha1(const Arguments& arguments) {
  return HexDigest(arguments, EVP_sha1());
}

Result<Value> Sha256(const Arguments& arguments) {
  return HexDigest(arguments, EVP_sha256());
}

Result<Value> Sha512(const Arguments& arguments) {
  return HexDigest(arguments, EVP_sha512());
}

Result<Value> Bcrypt(const Arguments& arguments) {
  constexpr std::int64_t kLeast = 4;
  constexpr std::int64_t kMost = 15;  // two seconds; each more doubles it
  constexpr std::size_t kLongest = 72;
  if (arguments.size() > 2) return Refuse("it takes a text and maybe a cost");
  std::int64_t cost = 10;
  if (arguments.size() == 2) {
    TRY_ASSIGN(auto number, Convert(arguments[1], Type::Of(Type::Kind::kNumber)));
    TRY_ASSIGN(cost, Whole(number, "the cost"));
  }
  if (cost < kLeast || cost > kMost) return Refuse("the cost must be from 4 to 15");
  const auto& text = arguments[0].AsString();
  if (text.size() > kLongest) return Refuse("the text must not be longer than 72 bytes");
  if (text.find('\0') != std::string::npos) return Refuse("the text must not hold a zero byte");
  auto random = RandomBytes(16);
  crypt_data data{};
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  const char* made = crypt_gensalt_rn("$2a$", static_cast<unsigned long>(cost), random.data(),
                                      static_cast<int>(random.size()), setting.data(),
                                      static_cast<int>(setting.size()));
  const char* hash = made == nullptr ? nullptr : crypt_r(text.c_str(), made, &data);
  if (hash == nullptr || hash[0] != '$') return Refuse("this system cannot make such hashes");
  return Value::String(hash);
}

Result<Value> RsaDecrypt(const Arguments& arguments) {
  auto cipher = FromBase64(arguments[0].AsString());
  if (!cipher) return Refuse("the cipher text is no base64");
  auto key = ReadPrivateKey(Secret(arguments[1].AsString()));
  if (!key)
    return Refuse("the key is no private key in PEM form without a password: " +
                  TakeOpenSslReason());
  OpenSslPtr<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new(key.get(), nullptr));
  std::size_t size = 0;
  bool ready =
      context && EVP_PKEY_decrypt_init(context.get()) == 1 &&
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1 &&
      EVP_PKEY_decrypt(context.get(), nullptr, &size, Octets(*cipher), cipher->size()) == 1;
  std::string plain(size, '\0');
  if (!ready || EVP_PKEY_decrypt(context.get(), reinterpret_cast<unsigned char*>(plain.data()),
                                 &size, Octets(*cipher), cipher->size()) != 1) {
    TakeOpenSslReason();
    return Refuse("the key does not open the cipher text");
  }
  plain.resize(size);
  return Value::String(std::move(plain));
}

/// The text form of 16 bytes, after the bits of version and variant (RFC 4122) are set.
std::string UuidText(std::string bytes, unsigned version) {
  bytes.resize(16);
  bytes[6] = static_cast<char>((static_cast<unsigned char>(bytes[6]) & 0x0FU) | (version << 4U));
  bytes[8] = static_cast<char>((static_cast<unsigned char>(bytes[8]) & 0x3FU) | 0x80U);
  auto hex = Hex(bytes);
  for (std::size_t dash : {8U, 13U, 18U, 23U})
    hex.insert(dash, "-");
  return hex;
}

Result<Value> UuidV4(const Arguments&) {
  return Value::String(UuidText(RandomBytes(16), 4));
}

/// 32 digits with or without dashes; nullopt when it is anything else.
std::optional<std::string> UuidBytes(std::string_view text) {
  std::string out;
  std::string digits;
  for (char c : text) {
    if (c != '-') digits += c;
  }
  if (digits.size() != 32) return std::nullopt;
  for (const char* at = digits.data(); at != digits.data() + digits.size(); at += 2) {
    unsigned byte = 0;
    auto [end, error] = std::from_chars(at, at + 2, byte, 16);
    if (error != std::errc() || end != at + 2) return std::nullopt;
    out += static_cast<char>(byte);
  }
  return out;
}

Result<Value> UuidV5(const Arguments& arguments) {
  constexpr std::pair<std::string_view, std::string_view> kSpaces[] = {
      {"dns", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
      {"url", "6ba7b811-9dad-11d1-80b4-00c04fd430c8"},
      {"oid", "6ba7b812-9dad-11d1-80b4-00c04fd430c8"},
      {"x500", "6ba7b814-9dad-11d1-80b4-00c04fd430c8"}};
  std::string_view space = arguments[0].AsString();
  for (const auto& [name, uuid] : kSpaces) {
    if (space == name) space = uuid;
  }
  auto bytes = UuidBytes(space);
  if (!bytes) return Refuse("the name space must be dns, url, oid, x500 or a UUID");
  TRY_ASSIGN(auto digest, Digest(*bytes + arguments[1].AsString(), EVP_sha1()));
  return Value::String(UuidText(std::move(digest), 5));
}

constexpr Function kHashFunctions[] = {
    {"md5", "s", Md5},       {"sha1", "s", Sha1},       {"sha256", "s", Sha256},
    {"sha512", "s", Sha512}, {"bcrypt", "sa*", Bcrypt}, {"rsadecrypt", "ss", RsaDecrypt},
    {"uuidv4", "", UuidV4},  {"uuidv5", "ss", UuidV5},
};

}  // namespace

std::span<const Function> HashFunctions() {
  return kHashFunctions;
}

}  // namespace depot::hcl
