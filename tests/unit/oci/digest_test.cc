#include "driver/oci/digest.h"

#include <gtest/gtest.h>

namespace depot::digest_test {
namespace {

TEST(Digest, AgreesWithTheStandardsExamples) {
  // FIPS 180-2, appendix B.1, and the hash of nothing.
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(DigestOf(""),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, DoesNotDependOnTheCuts) {
  Sha256 pieces;
  pieces.Update("a");
  pieces.Update("");
  pieces.Update("bc");
  std::string raw = pieces.Finish();
  EXPECT_EQ(raw.size(), 32u);
  Sha256 whole;
  whole.Update("abc");
  EXPECT_EQ(whole.Finish(), raw);
}

TEST(Digest, KnowsItsForm) {
  EXPECT_TRUE(IsDigest(DigestOf("x")));
  EXPECT_FALSE(IsDigest("sha256:" + std::string(63, 'a')));
  EXPECT_FALSE(IsDigest("sha256:" + std::string(64, 'A')));
  EXPECT_FALSE(IsDigest("sha512:" + std::string(64, 'a')));
  EXPECT_FALSE(IsDigest(""));
}

}  // namespace
}  // namespace depot::digest_test
