#include "driver/registry/merge_index.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot::registry::merge_index_test {
namespace {

using Annotations = std::map<std::string, std::string>;
using Digests = std::vector<std::string>;

Descriptor Image(const std::string& content, const std::string& architecture) {
  Descriptor image = MakeDescriptor(kOciManifestType, DigestOf(content), content.size());
  Json platform = Json::Object();
  platform.Set("os", Json::String("linux"));
  platform.Set("architecture", Json::String(architecture));
  SetPlatform(image, platform);
  return image;
}

Descriptor About(const Descriptor& image, const std::string& content) {
  Descriptor about = MakeDescriptor(kOciManifestType, DigestOf(content), content.size());
  Json platform = Json::Object();
  platform.Set("os", Json::String("unknown"));
  platform.Set("architecture", Json::String("unknown"));
  SetPlatform(about, platform);
  SetAnnotation(about, "vnd.docker.reference.type", "attestation-manifest");
  SetAnnotation(about, "vnd.docker.reference.digest", image.digest);
  return about;
}

AssembledIndex Index(const std::vector<Descriptor>& entries, const Annotations& annotations = {}) {
  IndexAnnotations wanted;
  wanted.index = annotations;
  return *AssembleIndex(entries, {}, wanted);
}

ImageIndex Read(const AssembledIndex& index) {
  return *ParseIndex(index.bytes);
}

Digests DigestsOf(const AssembledIndex& index) {
  Digests digests;
  for (const Descriptor& entry : index.manifests)
    digests.push_back(entry.digest);
  return digests;
}

const Descriptor kOldAmd = Image("old amd", "amd64");
const Descriptor kAmd = Image("amd", "amd64");
const Descriptor kArm = Image("arm", "arm64");
const Descriptor kAboutOldAmd = About(kOldAmd, "about old amd");
const Descriptor kAboutAmd = About(kAmd, "about amd");
const Descriptor kAboutArm = About(kArm, "about arm");

TEST(MergeIndex, AnImageIsReplacedWithItsAttestations) {
  const AssembledIndex present = Index({kOldAmd, kAboutOldAmd, kArm, kAboutArm});
  const AssembledIndex merged = *MergeIndex(Read(present), Index({kAmd, kAboutAmd}), {});
  EXPECT_EQ(DigestsOf(merged),
            (Digests{kAmd.digest, kAboutAmd.digest, kArm.digest, kAboutArm.digest}));
  EXPECT_EQ(merged.digest, DigestOf(merged.bytes));
}

TEST(MergeIndex, OneMoreIsAdded) {
  const AssembledIndex merged = *MergeIndex(Read(Index({kArm})), Index({kAmd}), {});
  EXPECT_EQ(DigestsOf(merged), (Digests{kArm.digest, kAmd.digest}));
}

TEST(MergeIndex, TwiceIsOnce) {
  for (const auto& before : {std::vector{kArm}, std::vector{kAmd, kArm}, std::vector{kArm, kOldAmd},
                             std::vector{kOldAmd, kArm, kAboutArm, kAboutOldAmd}}) {
    const AssembledIndex ours = Index({kAmd, kAboutAmd});
    const Annotations annotations = {{"depot.pipeline.iid", "5"}};
    const AssembledIndex once =
        *MergeIndex(Read(Index(before, {{"team", "blue"}})), ours, annotations);
    EXPECT_EQ(MergeIndex(Read(once), ours, annotations)->digest, once.digest);
    // And another's merge in between changes nothing of it.
    const AssembledIndex other = *MergeIndex(Read(once), Index({kArm, kAboutArm}), annotations);
    EXPECT_EQ(MergeIndex(Read(other), ours, annotations)->digest, other.digest);
  }
}

TEST(MergeIndex, OurAnnotationsWinAndOthersStay) {
  const AssembledIndex present = Index({kArm}, {{"team", "blue"}, {"depot.pipeline.iid", "4"}});
  const AssembledIndex merged =
      *MergeIndex(Read(present), Index({kAmd}), {{"depot.pipeline.iid", "5"}});
  EXPECT_EQ(Read(merged).annotations, (Annotations{{"team", "blue"}, {"depot.pipeline.iid", "5"}}));
}

TEST(MergeIndex, VersionsOfWindowsAreNotOnePlatform) {
  auto windows = [](const std::string& version) {
    Descriptor image = Image(version, "amd64");
    Json platform = image.json["platform"];
    platform.Set("os", Json::String("windows"));
    platform.Set("os.version", Json::String(version));
    SetPlatform(image, platform);
    return image;
  };
  const AssembledIndex merged =
      *MergeIndex(Read(Index({windows("10.0.1")})), Index({windows("10.0.2")}), {});
  EXPECT_EQ(merged.manifests.size(), 2U);
}

TEST(MergeIndex, WhatOursIsForIsOursToSay) {
  const AssembledIndex merged =
      *MergeIndex(Read(Index({kArm, Image("amd", "s390x")})), Index({kAmd}), {});
  EXPECT_EQ(DigestsOf(merged), (Digests{kArm.digest, kAmd.digest}));
  EXPECT_EQ(merged.manifests[1].platform->architecture, "amd64");
}

TEST(MergeIndex, TooManyAndNestedIndexesAreRefused) {
  std::vector<Descriptor> many;
  for (int i = 0; i < 1000; ++i)
    many.push_back(Image(Cat(i), Cat("cpu", i)));
  EXPECT_EQ(MergeIndex(Read(Index(many)), Index({kAmd}), {}).error().code(), ErrorCode::kInvalid);
  const Descriptor nested = MakeDescriptor(kOciIndexType, DigestOf("x"), 1);
  EXPECT_EQ(MergeIndex(Read(Index({nested})), Index({kAmd}), {}).error().code(),
            ErrorCode::kUnsupported);
}

TEST(MergeIndex, WhoKnewOursMayReplaceIt) {
  const AssembledIndex ours = Index({kAmd});
  const std::set<std::string> before = {kOldAmd.digest};
  EXPECT_TRUE(HoldsOurs(Read(Index({kArm, kAmd})), ours, before));
  EXPECT_TRUE(HoldsOurs(Read(Index({Image("newer amd", "amd64")})), ours, before));
  EXPECT_FALSE(HoldsOurs(Read(Index({kArm})), ours, before)) << "taken away";
  EXPECT_FALSE(HoldsOurs(Read(Index({kArm, kOldAmd})), ours, before)) << "undone";
}

}  // namespace
}  // namespace depot::registry::merge_index_test
