#include "plugin/choice/self_hosted.h"

#include <gtest/gtest.h>

namespace depot::choice::self_hosted_test {
namespace {

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", ""};
const Platform kArmV7{"linux", "arm", "v7"};

SelfHosted Parse(const std::string& setting, std::optional<Platform> forced = std::nullopt) {
  auto hosts = ParseSelfHosted(setting, forced, {}, Cancel::Never());
  if (hosts) return *std::move(hosts);
  ADD_FAILURE() << hosts.error().message();
  return {};
}

Error Refusal(const std::string& setting, std::optional<Platform> forced = std::nullopt) {
  auto hosts = ParseSelfHosted(setting, forced, {}, Cancel::Never());
  if (!hosts) return hosts.error();
  ADD_FAILURE() << "accepted";
  return Error(ErrorCode::kInternal, "accepted");
}

TEST(SelfHosted, OneAddressSaysByItselfWhatItRuns) {
  SelfHosted hosts = Parse("tcp://one:1");
  ASSERT_EQ(hosts.sites.size(), 1u);
  EXPECT_EQ(hosts.sites[0].name, "tcp://one:1");
  EXPECT_TRUE(hosts.sites[0].native.empty());
  EXPECT_NE(hosts.sites[0].driver, nullptr);
  EXPECT_FALSE(hosts.tls);
}

TEST(SelfHosted, AMachineAlsoRunsItsFamily) {
  SelfHosted hosts = Parse("linux/amd64=tcp://intel:1, linux/arm64=tcp://arm:1");
  ASSERT_EQ(hosts.sites.size(), 2u);
  EXPECT_EQ(hosts.sites[0].native, NativeFamily(kAmd64));
  EXPECT_EQ(hosts.sites[1].native, NativeFamily(kArm64));
}

TEST(SelfHosted, UnlessAnotherWasNamedForJustThat) {
  SelfHosted hosts = Parse("arm64=tcp://arm:1,linux/arm/v7=tcp://old:1");
  ASSERT_EQ(hosts.sites.size(), 2u);
  for (const Platform& platform : hosts.sites[0].native)
    EXPECT_NE(platform, kArmV7);
  EXPECT_EQ(hosts.sites[1].native, std::vector<Platform>{kArmV7});
}

TEST(SelfHosted, OneAddressForTwoPlatformsIsOneBuilder) {
  SelfHosted hosts = Parse("amd64=unix:///x,arm64=unix:///x");
  ASSERT_EQ(hosts.sites.size(), 1u);
  EXPECT_EQ(hosts.sites[0].native[0], kAmd64);
  EXPECT_EQ(hosts.sites[0].native[1], kArm64);
}

TEST(SelfHosted, TwoForOnePlatformOrOneForNoneAreErrors) {
  EXPECT_EQ(Refusal("amd64=tcp://a:1,amd64=tcp://b:1").message(),
            "there are two builders for linux/amd64");
  Error bare = Refusal("amd64=tcp://a:1,tcp://user:hush@b:1");
  EXPECT_NE(bare.message().find("names no platform"), std::string::npos);
  EXPECT_EQ(bare.message().find("hush"), std::string::npos);
  EXPECT_FALSE(bare.hint().empty());
}

TEST(SelfHosted, BuildPlatformLeavesTheMachineThatWasNamedForIt) {
  SelfHosted hosts = Parse("amd64=tcp://intel:1,arm64=tcp://arm:1", kArm64);
  ASSERT_EQ(hosts.sites.size(), 1u);
  EXPECT_EQ(hosts.sites[0].name, "tcp://arm:1");
  EXPECT_EQ(Parse("tcp://one:1", kArm64).sites.size(), 1u);
  Error none = Refusal("amd64=tcp://intel:1", kArm64);
  EXPECT_EQ(none.code(), ErrorCode::kUnsupported);
  EXPECT_EQ(none.message(), "--build-platform: no builder was named for linux/arm64");
}

}  // namespace
}  // namespace depot::choice::self_hosted_test
