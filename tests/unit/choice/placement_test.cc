#include "plugin/choice/placement.h"

#include <gtest/gtest.h>

namespace depot::choice::placement_test {
namespace {

const Platform kAmd64{"linux", "amd64", ""};
const Platform kAmd64v2{"linux", "amd64", "v2"};
const Platform kArm64{"linux", "arm64", ""};
const Platform kArmV7{"linux", "arm", "v7"};
const Platform kS390x{"linux", "s390x", ""};

std::vector<Site> TwoSites() {
  return {{"tcp://one", NativeFamily(kAmd64), {kArm64}}, {"tcp://two", NativeFamily(kArm64), {}}};
}

TEST(Place, GivesEachPlatformToItsNativeBuilder) {
  auto shares = Place({kArm64, kAmd64}, TwoSites(), kAmd64, Emulation::kNever);
  ASSERT_TRUE(shares);
  ASSERT_EQ(shares->size(), 2U);
  EXPECT_EQ((*shares)[0].site, 1U);
  EXPECT_EQ((*shares)[0].platforms, std::vector<Platform>{kArm64});
  EXPECT_EQ((*shares)[1].site, 0U);
  EXPECT_TRUE((*shares)[0].emulated.empty());
}

TEST(Place, MakesOneShareOfABuilderThatRunsSeveral) {
  auto shares = Place({kArmV7, kArm64}, TwoSites(), kAmd64, Emulation::kNever);
  ASSERT_TRUE(shares);
  ASSERT_EQ(shares->size(), 1U);
  EXPECT_EQ((*shares)[0].platforms, (std::vector<Platform>{kArmV7, kArm64}));
}

TEST(Place, TheVariantGoesToTheBuilderThatHasIt) {
  std::vector<Site> sites = {{"a", {kAmd64}, {}}, {"b", {kAmd64, kAmd64v2}, {}}};
  auto shares = Place({kAmd64v2}, sites, kAmd64, Emulation::kNever);
  ASSERT_TRUE(shares);
  EXPECT_EQ((*shares)[0].site, 1U);
}

TEST(Place, APlatformWithoutNativeBuilderIsAnErrorThatListsWhatThereIs) {
  auto shares = Place({kAmd64, kS390x}, TwoSites(), kAmd64, Emulation::kNever);
  ASSERT_FALSE(shares);
  const std::string& text = shares.error().message();
  EXPECT_NE(text.find("no builder runs linux/s390x natively"), std::string::npos) << text;
  EXPECT_NE(text.find("tcp://one runs linux/amd64"), std::string::npos) << text;
  EXPECT_NE(shares.error().hint().find("--emulate"), std::string::npos);
  shares = Place({kAmd64, kS390x}, TwoSites(), kAmd64, Emulation::kListed);
  ASSERT_FALSE(shares);
  const std::string& listed = shares.error().message();
  EXPECT_NE(listed.find("none has an emulator for it"), std::string::npos) << listed;
  EXPECT_NE(listed.find(", and emulates linux/arm64; tcp://two runs"), std::string::npos) << listed;
}

TEST(Place, EmulatesWhereItIsAllowed) {
  std::vector<Site> sites = {{"a", {kAmd64}, {}}, {"b", {kAmd64v2}, {kArm64}}};
  EXPECT_FALSE(Place({kArm64}, sites, kAmd64, Emulation::kNever));
  for (Emulation emulation : {Emulation::kListed, Emulation::kAnywhere}) {
    auto shares = Place({kArm64}, sites, kAmd64, emulation);
    ASSERT_TRUE(shares);
    EXPECT_EQ((*shares)[0].site, 1U);
    EXPECT_EQ((*shares)[0].emulated, std::vector<Platform>{kArm64});
  }
  EXPECT_FALSE(Place({kS390x}, sites, kAmd64, Emulation::kListed));
  auto anywhere = Place({kS390x}, sites, kAmd64, Emulation::kAnywhere);
  ASSERT_TRUE(anywhere);
  EXPECT_EQ((*anywhere)[0].site, 0U);
}

TEST(Place, WhatNobodyKnowsGoesToWhoListsItElseToTheFirst) {
  const Platform foo{"linux", "foo", ""};
  std::vector<Site> sites = {{"a", {kAmd64}, {}}, {"b", {kArm64}, {}}};
  auto first = Place({kArm64, foo}, sites, kAmd64, Emulation::kListed);
  ASSERT_TRUE(first);
  ASSERT_EQ(first->size(), 2U);
  EXPECT_EQ((*first)[1].site, 0U);
  EXPECT_EQ((*first)[1].emulated, std::vector<Platform>{foo});
  auto never = Place({foo}, sites, kAmd64, Emulation::kNever);
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().code(), ErrorCode::kUnsupported);
  sites[1].emulated = {foo};
  auto listed = Place({foo}, sites, kAmd64, Emulation::kListed);
  ASSERT_TRUE(listed);
  EXPECT_EQ(listed->front().site, 1U);
}

TEST(Place, NothingWantedIsOneShareOnTheHostsOwnPlatform) {
  auto shares = Place({}, TwoSites(), kArm64, Emulation::kNever);
  ASSERT_TRUE(shares);
  ASSERT_EQ(shares->size(), 1U);
  EXPECT_EQ((*shares)[0].site, 1U);
  EXPECT_TRUE((*shares)[0].platforms.empty());
  EXPECT_EQ((*Place({}, TwoSites(), kS390x, Emulation::kNever))[0].site, 0U);
}

TEST(NativePart, LeavesOutWhatBuildKitEmulates) {
  EXPECT_EQ(NativePart({kAmd64, kAmd64v2, {"linux", "386", ""}, kArm64, kArmV7, kS390x}),
            (std::vector<Platform>{kAmd64, kAmd64v2, {"linux", "386", ""}}));
  EXPECT_EQ(NativePart({kArm64, kArmV7, kAmd64}), (std::vector<Platform>{kArm64, kArmV7}));
  EXPECT_TRUE(NativePart({}).empty());
}

}  // namespace
}  // namespace depot::choice::placement_test
