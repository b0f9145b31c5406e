#include "driver/oci/platform.h"

#include <gtest/gtest.h>

namespace depot {
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
  for (const char* text : {"windows()/amd64", "windows(10/amd64", "windows(1;2)/amd64",
                           "windows(1)2/amd64", "widnows(10)/amd64"})
    EXPECT_FALSE(ParsePlatform(text)) << text;
}

TEST(Platform, RefusesUnknownNamesAndNamesTheNearest) {
  Result<Platform> unknown = ParsePlatform("linux/amd644");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), ErrorCode::kInvalid);
  EXPECT_EQ(unknown.error().message(),
            "platform \"linux/amd644\": unknown architecture \"amd644\"");
  EXPECT_EQ(unknown.error().hint(), "did you mean amd64?");
  EXPECT_EQ(ParsePlatform("linus/amd64").error().hint(), "did you mean linux?");
  EXPECT_FALSE(ParsePlatform(""));
  EXPECT_FALSE(ParsePlatform("foo"));
  EXPECT_FALSE(ParsePlatform("linux/"));
  EXPECT_FALSE(ParsePlatform("foo/bar/baz/qux"));
  EXPECT_FALSE(ParsePlatform("linux/arm/v 7"));
  EXPECT_FALSE(ParsePlatform("linux/arm64/"));
}

}  // namespace
}  // namespace depot
