#include "driver/session/token_authority.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "driver/base/encode.h"

namespace depot::session::token_authority_test {
namespace {

bool Verifies(const std::string& public_key, const std::string& signed_payload) {
  auto raw = [](const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  };
  EVP_PKEY* key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(public_key), 32);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  bool good = EVP_DigestVerifyInit(context, nullptr, nullptr, nullptr, key) == 1 &&
              EVP_DigestVerify(context, raw(signed_payload), 64, raw(signed_payload) + 64,
                               signed_payload.size() - 64) == 1;
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(key);
  return good;
}

TEST(TokenAuthority, SignsWithTheKeyThatItShows) {
  Secret seed("sixteen bytes!!!");
  Result<std::string> key = AuthorityPublicKey(seed, "salt");
  Result<std::string> proof = AuthoritySign(seed, "salt", "payload");
  ASSERT_TRUE(key && proof);
  EXPECT_EQ(key->size(), 32U);
  EXPECT_EQ(proof->substr(64), "payload");
  EXPECT_TRUE(Verifies(*key, *proof));
  (*proof)[70] ^= 1;
  EXPECT_FALSE(Verifies(*key, *proof));
}

TEST(TokenAuthority, KeyDependsOnSeedAndSalt) {
  Secret seed("seed");
  EXPECT_EQ(*AuthorityPublicKey(seed, "a"), *AuthorityPublicKey(seed, "a"));
  EXPECT_NE(*AuthorityPublicKey(seed, "a"), *AuthorityPublicKey(seed, "b"));
  EXPECT_NE(*AuthorityPublicKey(seed, "a"), *AuthorityPublicKey(Secret("other"), "a"));
}

// Computed with Python's hmac module and `openssl pkey`: the salt is the HMAC's key, not its
// message.
TEST(TokenAuthority, HasTheKeysThatOtherToolsCompute) {
  Result<std::string> key = AuthorityPublicKey(Secret(), "");
  ASSERT_TRUE(key);
  EXPECT_EQ(Hex(*key), "b61a5143178d67b8e6ff9248efca6775d72b4ad38cd1494942967ade83f5847a");
  key = AuthorityPublicKey(Secret("0123456789abcdef"), "some salt");
  ASSERT_TRUE(key);
  EXPECT_EQ(Hex(*key), "1e51a68c301e88eb96cd6604fc79cfeab6659a0184588153687d2b32dda8b932");
}

}  // namespace
}  // namespace depot::session::token_authority_test
