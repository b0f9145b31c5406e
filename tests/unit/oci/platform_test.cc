#include "driver/oci/platform.h"

#include <gtest/gtest.h>

namespace depot::platform_test {
namespace {

TEST(Platform, IsNormalised) {
  auto normal = [](std::string_view text) { return FormatPlatform(*ParsePlatform(text)); };
  EXPECT_EQ(normal("linux/amd64"), "linux/amd64");
  EXPECT_EQ(normal("Linux/X86_64"), "linux/amd64");
  EXPECT_EQ(normal("linux/amd64/v1"), "linux/amd64");
  EXPECT_EQ(normal("linux/amd64/v3"), "linux/amd64/v3");
  EXPECT_EQ(normal("linux/aarch64"), "linux/arm64");
  EXPECT_EQ(normal("linux/arm64/v8"), "linux/arm64");
  EXPECT_EQ(normal("linux/arm"), "linux/arm/v7");
  EXPECT_EQ(normal("linux/arm/6"), "linux/arm/v6");
  EXPECT_EQ(normal("linux/armhf"), "linux/arm/v7");
  EXPECT_EQ(normal("arm64"), "linux/arm64");
  EXPECT_EQ(normal("windows/amd64"), "windows/amd64");
  EXPECT_EQ(normal("wasi/wasm"), "wasi/wasm");
  EXPECT_EQ(normal("linux"), FormatPlatform(HostPlatform()));
  EXPECT_EQ(normal("local"), FormatPlatform(HostPlatform()));
}

TEST(Platform, ASystemMayHaveAVersion) {
  auto platform = ParsePlatform("Windows(10.0.17763+win32k)/x86_64");
  ASSERT_TRUE(platform) << platform.error().message();
  EXPECT_EQ(platform->os_version, "10.0.17763+win32k");
  EXPECT_EQ(FormatPlatform(*platform), "windows(10.0.17763+win32k)/amd64");
  for (const char* text :
       {"windows()/amd64", "windows(10/amd64", "windows(1;2)/amd64", "windows(1)2/amd64"})
    EXPECT_FALSE(ParsePlatform(text)) << text;
}

TEST(Platform, WhatNobodyKnowsIsTakenAndDoubted) {
  auto doubt = [](std::string_view text) {
    Result<Platform> platform = ParsePlatform(text);
    return platform ? DoubtAbout(*platform) : "error: " + platform.error().message();
  };
  EXPECT_EQ(*ParsePlatform("Linux/Amd644/V2"), (Platform{"linux", "amd644", "v2"}));
  EXPECT_EQ(doubt("linux/amd46"), "unknown architecture \"amd46\", did you mean linux/amd64?");
  EXPECT_EQ(doubt("linux/amr/v7"), "unknown architecture \"amr\", did you mean linux/arm/v7?");
  EXPECT_EQ(doubt("linus/amd64"), "unknown operating system \"linus\", did you mean linux/amd64?");
  EXPECT_EQ(doubt("widnows(10)/amd64"),
            "unknown operating system \"widnows\", did you mean windows(10)/amd64?");
  EXPECT_EQ(doubt("arm/v7"), "unknown operating system \"arm\", did you mean linux/arm/v7?");
  EXPECT_EQ(doubt("amd64/linux"), "unknown operating system \"amd64\", did you mean linux/amd64?");
  EXPECT_EQ(doubt("linux/foo"), "unknown architecture \"foo\"");
  EXPECT_EQ(doubt("beos/amd46"), "unknown operating system \"beos\"");
  for (const char* known : {"linux/amd64", "linux/arm/v9", "windows(1)/amd64", "macos/arm64"})
    EXPECT_EQ(doubt(known), "") << known;
}

TEST(Platform, RefusesWrongFormsAndOneWordThatNobodyKnows) {
  Result<Platform> word = ParsePlatform("amd644");
  ASSERT_FALSE(word);
  EXPECT_EQ(word.error().code(), ErrorCode::kInvalid);
  EXPECT_EQ(word.error().message(),
            "platform \"amd644\" is no known system or architecture, and only one word");
  EXPECT_EQ(word.error().hint(), "did you mean amd64?");
  for (const char* wrong : {"", "foo", "linux/", "/amd64", "foo/bar/baz/qux", "linux/arm/v 7",
                            "linux/arm64/", "linux/am d64", "lin.ux/amd64", "linux/\u00e4"})
    EXPECT_FALSE(ParsePlatform(wrong)) << wrong;
}

}  // namespace
}  // namespace depot::platform_test
