#include "plugin/options/go_duration.h"

#include <gtest/gtest.h>

namespace depot::options::go_duration_test {
namespace {

TEST(GoDuration, IsReadAsGoDoes) {
  EXPECT_EQ(*ParseGoDuration("1h30m5s"), 5'405'000'000'000);
  EXPECT_EQ(*ParseGoDuration("10ms"), 10'000'000);
  for (const char* bad : {"", "1", "h", "1x", "-1h", "9999999h"})
    EXPECT_FALSE(ParseGoDuration(bad)) << bad;
}

}  // namespace
}  // namespace depot::options::go_duration_test
