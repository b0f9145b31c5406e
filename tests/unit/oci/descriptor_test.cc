#include "driver/oci/descriptor.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::descriptor_test {
namespace {

const std::string kDigest = Cat("sha256:", std::string(64, 'a'));

Json Parse(std::string_view text) {
  Result<Json> json = Json::Parse(text);
  EXPECT_TRUE(json) << text;
  return json.value_or(Json());
}

TEST(ReadDescriptor, TakesAllMembersAndKeepsTheOthers) {
  auto got = ReadDescriptor(
      Parse(Cat(R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")", kDigest,
                R"(","size":7,"platform":{"os":"linux","architecture":"aarch64","variant":"v8"},)",
                R"("annotations":{"a":"b"},"artifactType":"x/y","urls":["https://u"]})")));
  ASSERT_TRUE(got) << got.error().message();
  EXPECT_TRUE(IsManifest(got->media_type));
  EXPECT_EQ(got->digest, kDigest);
  EXPECT_EQ(got->size, 7);
  EXPECT_EQ(FormatPlatform(*got->platform), "linux/arm64") << "normalised";
  EXPECT_EQ(got->json["platform"]["architecture"].AsString(), "aarch64") << "as it was";
  EXPECT_EQ(got->annotations.at("a"), "b");
  EXPECT_EQ(got->json["artifactType"].AsString(), "x/y");
  EXPECT_EQ(got->json["urls"][0].AsString(), "https://u");
}

TEST(ReadDescriptor, RefusesWhatPointsAtNothing) {
  for (const std::string& text :
       {std::string("null"), std::string("[]"), std::string("{}"),
        Cat(R"({"digest":")", kDigest, "\"}"), Cat(R"({"digest":")", kDigest, R"(","size":-1})"),
        Cat(R"({"digest":")", kDigest, R"(","size":"7"})"),
        std::string(R"({"digest":"sha256:short","size":1})"),
        std::string(R"({"digest":"../../etc","size":1})"),
        std::string(R"({"digest":7,"size":1})")}) {
    Result<Descriptor> got = ReadDescriptor(Parse(text));
    ASSERT_FALSE(got) << text;
    EXPECT_EQ(got.error().code(), ErrorCode::kInvalid);
  }
}

TEST(ReadPlatform, NormalisesKnownNamesAndKeepsOthers) {
  auto read = [](std::string_view text) {
    std::optional<Platform> platform = ReadPlatform(Parse(text));
    return platform ? FormatPlatform(*platform) : "none";
  };
  EXPECT_EQ(read(R"({"os":"linux","architecture":"arm"})"), "linux/arm/v7");
  EXPECT_EQ(read(R"({"os":"linux","architecture":"amd64","variant":"v2"})"), "linux/amd64/v2");
  EXPECT_EQ(read(R"({"os":"unknown","architecture":"unknown"})"), "unknown/unknown");
  EXPECT_EQ(read(R"({"os":"linux/amd64","architecture":"x"})"), "linux/amd64/x");
  EXPECT_EQ(ReadPlatform(Parse(R"({"os":"linux/amd64","architecture":"v1"})"))->os, "linux/amd64")
      << "a slash does not move names";
  EXPECT_EQ(read(R"({"os":"linux"})"), "none");
  EXPECT_EQ(read("null"), "none");
}

TEST(AttestedDigest, OnlyOfAttestationManifests) {
  Descriptor descriptor;
  EXPECT_EQ(AttestedDigest(descriptor), "");
  SetAnnotation(descriptor, "vnd.docker.reference.digest", kDigest);
  EXPECT_EQ(AttestedDigest(descriptor), "");
  SetAnnotation(descriptor, "vnd.docker.reference.type", "attestation-manifest");
  EXPECT_EQ(AttestedDigest(descriptor), kDigest);
  EXPECT_EQ(descriptor.json["annotations"]["vnd.docker.reference.digest"].AsString(), kDigest);
}

}  // namespace
}  // namespace depot::descriptor_test
