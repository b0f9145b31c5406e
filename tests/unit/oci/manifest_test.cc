#include "driver/oci/manifest.h"

#include <ctime>

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::manifest_test {
namespace {

const std::string kDigest = Cat("sha256:", std::string(64, 'a'));
const std::string kSmall = Cat(R"({"digest":")", kDigest, R"(","size":7})");

TEST(ParseManifest, ReadsConfigAndLayers) {
  auto manifest =
      ParseManifest(Cat(R"({"config":)", kSmall, R"(,"layers":[)", kSmall, ',', kSmall, "]}"));
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_EQ(manifest->config.digest, kDigest);
  EXPECT_EQ(manifest->layers.size(), 2U);
  EXPECT_TRUE(ParseManifest(Cat(R"({"config":)", kSmall, R"(,"layers":null})")))
      << "what buildx writes for an empty image";
}

TEST(ParseIndex, ReadsTheManifests) {
  auto index = ParseIndex(Cat(R"({"manifests":[)", kSmall, "]}"));
  ASSERT_TRUE(index) << index.error().message();
  EXPECT_EQ(index->manifests.size(), 1U);
  EXPECT_TRUE(ParseIndex(R"({"manifests":[]})"));
}

TEST(ParseIndex, RefusesHostileContent) {
  std::string deep(100000, '[');
  std::string huge = Cat(R"({"manifests":[],"x":")", std::string(kMaxManifestSize, 'x'), "\"}");
  for (const std::string& text :
       {std::string(), std::string("null"), std::string("[]"), std::string("{}"),
        std::string(R"({"manifests":{}})"), std::string(R"({"manifests":[7]})"),
        std::string(R"({"manifests":[)"), deep, huge}) {
    Result<ImageIndex> index = ParseIndex(text);
    ASSERT_FALSE(index) << text.substr(0, 40);
    EXPECT_EQ(index.error().code(), ErrorCode::kInvalid);
    EXPECT_FALSE(ParseManifest(text));
  }
}

TEST(ParseIndex, TakesTimeInProportionToItsSize) {
  std::string text = R"({"manifests":[)";
  while (text.size() + 2 * kSmall.size() + 4 < kMaxManifestSize)
    text += kSmall + ',';
  text += kSmall + "]}";
  // Of our own CPU, whatever else the machine does; a second in a plain build is already much.
  const std::clock_t start = std::clock();
  ASSERT_TRUE(ParseIndex(text));
  EXPECT_LT(std::clock() - start, 20 * CLOCKS_PER_SEC);
}

TEST(ParseManifest, RefusesWhatIsImageAndIndexAtOnce) {
  std::string both = Cat(R"({"manifests":[],"layers":[],"config":)", kSmall, "}");
  EXPECT_FALSE(ParseIndex(both));
  EXPECT_FALSE(ParseManifest(both));
}

TEST(PlatformOfConfig, TakesWhatDescribesAPlatform) {
  auto platform = PlatformOfConfig(
      R"({"os":"windows","architecture":"amd64","os.version":"10.0","config":{"Env":[]}})");
  ASSERT_TRUE(platform);
  EXPECT_EQ(platform->Dump(), R"({"architecture":"amd64","os":"windows","os.version":"10.0"})");
  EXPECT_EQ(PlatformOfConfig("{}")->size(), 0U);
  EXPECT_FALSE(PlatformOfConfig("[]"));
}

TEST(OwnMediaType, IsWhatTheContentSays) {
  EXPECT_EQ(OwnMediaType(R"({"mediaType":"a/b"})"), "a/b");
  EXPECT_EQ(OwnMediaType("{}"), "");
  EXPECT_EQ(OwnMediaType("<html>"), "");
}

}  // namespace
}  // namespace depot::manifest_test
