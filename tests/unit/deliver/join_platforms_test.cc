#include "plugin/deliver/join_platforms.h"

#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot::deliver::join_platforms_test {
namespace {

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", ""};

std::string DescriptorJson(const std::string& digest) {
  return Cat(R"({"mediaType":"application/vnd.oci.image.index.v1+json","digest":")", digest,
             R"(","size":7})");
}

PlatformResult Answer(const Platform& platform, const std::string& digest) {
  return {{platform},
          {{"containerimage.digest", digest},
           {"containerimage.descriptor", Base64(DescriptorJson(digest))},
           {"image.name", "r.example/app"}}};
}

const std::string kFirst = DigestOf("first");
const std::string kSecond = DigestOf("second");
const std::string kIndex = DigestOf("index");

TEST(JoinPlatforms, OneAnswerWithTheIndexAndEveryPlatformsDigest) {
  auto joined = JoinResponses({Answer(kAmd64, kFirst), Answer(kArm64, kSecond)}, kIndex,
                              {"r.example/app:1", "r.example/app:2"});
  EXPECT_EQ(joined.at("containerimage.digest"), kIndex);
  EXPECT_EQ(joined.at("image.name"), "r.example/app:1,r.example/app:2");
  EXPECT_EQ(joined.count("containerimage.descriptor"), 0u);
  auto platforms = Json::Parse(FromBase64(joined.at("depot.platforms")).value_or(""));
  ASSERT_TRUE(platforms);
  EXPECT_EQ(platforms->Keys(), (std::vector<std::string>{"linux/amd64", "linux/arm64"}));
  EXPECT_EQ((*platforms)["linux/arm64"]["containerimage.digest"].AsString(), kSecond);
}

TEST(JoinPlatforms, WithoutAJoinedImageTheFirstBuildersAnswerStands) {
  auto joined = JoinResponses({Answer(kAmd64, kFirst), Answer(kArm64, kSecond)}, "", {});
  EXPECT_EQ(joined.at("containerimage.digest"), kFirst);
  EXPECT_EQ(joined.at("image.name"), "r.example/app");
}

TEST(JoinPlatforms, SeveralPlatformsOfOneBuilderShareAKey) {
  PlatformResult both = Answer(kAmd64, kFirst);
  both.platforms.push_back({"linux", "386", ""});
  auto joined = JoinResponses({both, Answer(kArm64, kSecond)}, kIndex, {});
  auto platforms = Json::Parse(FromBase64(joined.at("depot.platforms")).value_or(""));
  ASSERT_TRUE(platforms);
  EXPECT_TRUE(platforms->Has("linux/amd64,linux/386"));
}

TEST(JoinPlatforms, DescriptorsInTheOrderOfTheBuilders) {
  auto descriptors = DescriptorsOf({Answer(kArm64, kSecond), Answer(kAmd64, kFirst)});
  ASSERT_TRUE(descriptors) << descriptors.error().message();
  ASSERT_EQ(descriptors->size(), 2u);
  EXPECT_EQ((*descriptors)[0].digest, kSecond);
  EXPECT_EQ((*descriptors)[1].digest, kFirst);
}

TEST(JoinPlatforms, ABuilderThatDoesNotSayWhatItPushedIsNamed) {
  for (const char* answer : {"", "%%%", "bm90IEpTT04=", "e30="}) {
    PlatformResult silent = Answer(kArm64, kSecond);
    silent.response["containerimage.descriptor"] = answer;
    auto descriptors = DescriptorsOf({Answer(kAmd64, kFirst), silent});
    ASSERT_FALSE(descriptors) << answer;
    EXPECT_EQ(descriptors.error().code(), ErrorCode::kInvalid);
    EXPECT_NE(descriptors.error().message().find("linux/arm64"), std::string::npos);
    EXPECT_FALSE(descriptors.error().hint().empty());
  }
}

TEST(JoinPlatforms, WithoutARecordOfAPushItsBuilderIsNamed) {
  auto json = Json::Parse(DescriptorJson(kFirst));
  auto descriptor = ReadDescriptor(*json);
  ASSERT_TRUE(descriptor);
  auto found = RecordedDescriptor({{1, *descriptor}}, 1, {kAmd64});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->digest, kFirst);
  auto missing = RecordedDescriptor({{1, *descriptor}}, 0, {kArm64});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("linux/arm64"), std::string::npos);
  EXPECT_FALSE(missing.error().hint().empty());
}

TEST(JoinPlatforms, AnnotationsOfTheIndexAndAroundIt) {
  std::vector<options::Annotation> asked = {{"index", std::nullopt, "a", "1"},
                                            {"index-descriptor", std::nullopt, "b", "2"},
                                            {"manifest-descriptor", kArm64, "c", "3"},
                                            {"manifest", std::nullopt, "d", "4"}};
  auto wanted = IndexAnnotationsOf(asked);
  EXPECT_EQ(wanted.index, (std::map<std::string, std::string>{{"a", "1"}}));
  EXPECT_EQ(wanted.index_descriptor, (std::map<std::string, std::string>{{"b", "2"}}));
  ASSERT_EQ(wanted.descriptors.size(), 1u);
  EXPECT_EQ(wanted.descriptors[0].platform, kArm64);
  EXPECT_EQ(wanted.descriptors[0].key, "c");
}

}  // namespace
}  // namespace depot::deliver::join_platforms_test
