#include "driver/registry/index.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/oci/manifest.h"

namespace depot::registry::index_test {
namespace {

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", ""};

Descriptor Image(const std::string& name,
                 const std::optional<Platform>& platform,
                 std::string_view type = kOciManifestType) {
  Json json;
  json.Set("mediaType", Json::String(type));
  json.Set("digest", Json::String(DigestOf(name)));
  json.Set("size", Json::Number(10));
  Descriptor descriptor = *ReadDescriptor(json);
  if (platform) {
    Json json_platform;
    json_platform.Set("os", Json::String(platform->os));
    json_platform.Set("architecture", Json::String(platform->architecture));
    SetPlatform(descriptor, json_platform);
  }
  return descriptor;
}

Descriptor Attestation(const std::string& name, const Descriptor& image) {
  Descriptor descriptor = Image(name, Platform{"unknown", "unknown", ""});
  SetAnnotation(descriptor, "vnd.docker.reference.type", "attestation-manifest");
  SetAnnotation(descriptor, "vnd.docker.reference.digest", image.digest);
  return descriptor;
}

std::vector<std::string> Digests(const AssembledIndex& index) {
  std::vector<std::string> digests;
  for (const Descriptor& entry : index.manifests)
    digests.push_back(entry.digest);
  return digests;
}

TEST(AssembleIndex, OrdersByPlatformAskedAndPutsAttestationsBehindTheirImage) {
  Descriptor amd = Image("amd", kAmd64);
  Descriptor arm = Image("arm", kArm64);
  Descriptor other = Image("other", Platform{"linux", "s390x", ""});
  Descriptor about_amd = Attestation("about amd", amd);
  Descriptor about_arm = Attestation("about arm", arm);
  auto index = AssembleIndex({other, about_arm, arm, about_amd, amd}, {kAmd64, kArm64, kAmd64}, {});
  ASSERT_TRUE(index) << index.error().message();
  EXPECT_EQ(Digests(*index), (std::vector<std::string>{amd.digest, about_amd.digest, arm.digest,
                                                       about_arm.digest, other.digest}));
  EXPECT_EQ(index->media_type, kOciIndexType);
  EXPECT_EQ(index->digest, DigestOf(index->bytes));
}

TEST(AssembleIndex, DoesNotDependOnTheOrderOfTheBuilders) {
  Descriptor amd = Image("amd", kAmd64);
  Descriptor arm = Image("arm", kArm64);
  EXPECT_EQ(AssembleIndex({amd, arm}, {kAmd64, kArm64}, {})->bytes,
            AssembleIndex({arm, amd}, {kAmd64, kArm64}, {})->bytes);
}

TEST(AssembleIndex, WhatItWritesCanBeReadBackUnchanged) {
  Descriptor amd = Image("amd", kAmd64);
  amd.json.Set("artifactType", Json::String("a/b"));
  Descriptor about = Attestation("about", amd);
  auto index = AssembleIndex({amd, about}, {kAmd64}, {});
  ASSERT_TRUE(index);
  auto read = ParseIndex(index->bytes);
  ASSERT_TRUE(read) << read.error().message();
  ASSERT_EQ(read->manifests.size(), 2U);
  EXPECT_EQ(read->manifests[0].json.Dump(), amd.json.Dump());
  EXPECT_EQ(read->manifests[1].json.Dump(), about.json.Dump());
  EXPECT_EQ(OwnMediaType(index->bytes), index->media_type);
}

TEST(AssembleIndex, MissingPlatformIsAnError) {
  auto index = AssembleIndex({Image("amd", kAmd64)}, {kAmd64, kArm64}, {});
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().message(), "no builder pushed an image for linux/arm64");
  Descriptor arm = Image("arm", kArm64);
  EXPECT_FALSE(
      AssembleIndex({Image("amd", kAmd64), Attestation("about", arm)}, {kAmd64, kArm64}, {}))
      << "an attestation is no image";
}

TEST(AssembleIndex, DuplicatesAreListedOnceWithTheAnnotationsOfBoth) {
  Descriptor once = Image("amd", kAmd64);
  Descriptor again = once;
  SetAnnotation(once, "a", "1");
  SetAnnotation(again, "b", "2");
  auto index = AssembleIndex({once, again}, {kAmd64}, {});
  ASSERT_EQ(index->manifests.size(), 1U);
  EXPECT_EQ(index->manifests[0].json["annotations"].Dump(), R"({"a":"1","b":"2"})");
}

TEST(AssembleIndex, DockersTypeOnlyForPureDockerImages) {
  Descriptor amd = Image("amd", kAmd64, kDockerManifestType);
  Descriptor arm = Image("arm", kArm64, kDockerManifestType);
  std::vector<Platform> both = {kAmd64, kArm64};
  EXPECT_EQ(AssembleIndex({amd, arm}, both, {})->media_type, kDockerListType);
  EXPECT_EQ(AssembleIndex({amd, Image("arm", kArm64)}, both, {})->media_type, kOciIndexType);
  EXPECT_EQ(AssembleIndex({amd, arm, Attestation("about", amd)}, both, {})->media_type,
            kOciIndexType);
  EXPECT_EQ(AssembleIndex({amd, arm}, both, {{{"a", "b"}}, {}})->media_type, kOciIndexType);
  EXPECT_EQ(AssembleIndex({amd, arm}, both, {{}, {{kArm64, "a", "b"}}})->media_type, kOciIndexType);
}

TEST(AssembleIndex, AnnotationsGoWhereTheyBelong) {
  Descriptor amd = Image("amd", kAmd64);
  Descriptor arm = Image("arm", kArm64);
  IndexAnnotations annotations;
  annotations.index["title"] = "both";
  annotations.descriptors = {{std::nullopt, "every", "1"}, {kArm64, "one", "2"}};
  auto index = AssembleIndex({amd, Attestation("about", amd), arm}, {kAmd64, kArm64}, annotations);
  ASSERT_TRUE(index);
  Json json = *Json::Parse(index->bytes);
  EXPECT_EQ(json["annotations"].Dump(), R"({"title":"both"})");
  EXPECT_EQ(json["manifests"][0]["annotations"].Dump(), R"({"every":"1"})");
  EXPECT_FALSE(json["manifests"][1]["annotations"].Has("every")) << "not on attestations";
  EXPECT_EQ(json["manifests"][2]["annotations"].Dump(), R"({"every":"1","one":"2"})");
}

TEST(Flatten, TakesAnIndexApartAndKeepsAnImage) {
  Descriptor amd = Image("amd", kAmd64);
  Descriptor about = Attestation("about", amd);
  AssembledIndex inner = *AssembleIndex({amd, about}, {}, {});
  Descriptor pushed = Image("index", std::nullopt, kOciIndexType);
  auto found = Flatten(pushed, inner.bytes);
  ASSERT_TRUE(found) << found.error().message();
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ((*found)[1].json.Dump(), about.json.Dump());
  EXPECT_EQ(Flatten(amd, "")->size(), 1U);
}

TEST(Flatten, RefusesAnIndexInAnIndexAndWhatIsNone) {
  Descriptor pushed = Image("index", std::nullopt, kOciIndexType);
  AssembledIndex outer = *AssembleIndex({pushed}, {}, {});
  EXPECT_EQ(Flatten(pushed, outer.bytes).error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(Flatten(pushed, "<html>").error().code(), ErrorCode::kInvalid);
}

}  // namespace
}  // namespace depot::registry::index_test
