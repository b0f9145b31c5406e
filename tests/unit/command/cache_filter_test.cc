#include "plugin/command/cache_filter.h"

#include <gtest/gtest.h>

#include "plugin/command/figures_text.h"

namespace depot::command::cache_filter_test {
namespace {

TEST(CacheFilter, InTheWordsOfBuildKit) {
  CacheFilter filter = *ParseCacheFilter({"until=48h", "type=regular", "id=abc", "description~=x"});
  EXPECT_EQ(filter.keep_ns, 48 * 3'600'000'000'000);
  EXPECT_EQ(filter.filters, std::vector<std::string>{"type==regular,id~=abc,description~=x"});
  EXPECT_TRUE(ParseCacheFilter({})->filters.empty());
  EXPECT_FALSE(ParseCacheFilter({"type=a", "type=b"}));
  EXPECT_FALSE(ParseCacheFilter({"shared"})) << "docker wants NAME=VALUE everywhere";
  EXPECT_FALSE(ParseCacheFilter({"until=1h", "unused-for=1h"}));
}

TEST(CacheFilter, Sizes) {
  EXPECT_EQ(*ParseBytes("10GB"), 10LL << 30);
  EXPECT_EQ(*ParseBytes("512mb"), 512LL << 20);
  EXPECT_EQ(*ParseBytes("7"), 7);
  for (const char* bad : {"", "GB", "1.5GB", "1XB", "99999999TB"})
    EXPECT_FALSE(ParseBytes(bad)) << bad;
}

TEST(FiguresText, AsGoUnitsHasThem) {
  EXPECT_EQ(DecimalSize(1031712), "1.032MB");
  EXPECT_EQ(DecimalSize(0), "0B");
  EXPECT_EQ(DecimalSize(999), "999B");
  EXPECT_EQ(BinarySize(1LL << 30), "1GiB");
  EXPECT_EQ(GoDuration(172'800'000'000'000), "48h0m0s");
  EXPECT_EQ(RoughDuration(0), "Less than a second");
  EXPECT_EQ(RoughDuration(75), "About a minute");
  EXPECT_EQ(RoughDuration(7200), "2 hours");
  EXPECT_EQ(RoughDuration(86400 * 20), "2 weeks");
}

}  // namespace
}  // namespace depot::command::cache_filter_test
