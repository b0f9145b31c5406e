#include "plugin/options/retry_flags.h"

#include <gtest/gtest.h>

#include "plugin/options/build_flags.h"

namespace depot::options::retry_flags_test {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

Result<RetryLimits> Limits(std::vector<std::string> words, const Environment& environment = {}) {
  words.emplace_back(".");
  TRY_ASSIGN(auto options, ParseBuildFlags(words, "docker depot"));
  return WantedRetries(options->retry, environment);
}

TEST(RetryFlags, AreThreeWithinTenMinutes) {
  const auto limits = Limits({});
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->most, 3);
  EXPECT_EQ(limits->within, minutes(10));
  EXPECT_EQ(limits->silence, seconds(20));
}

TEST(RetryFlags, AFlagCountsBeforeItsVariable) {
  const Environment environment = {
      {"DEPOT_RETRIES", "7"}, {"DEPOT_RETRY_FOR", "90s"}, {"DEPOT_LOST_AFTER", "1m"}};
  auto limits = Limits({}, environment);
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->most, 7);
  EXPECT_EQ(limits->within, seconds(90));
  EXPECT_EQ(limits->silence, minutes(1));
  limits = Limits({"--retries=0", "--retry-for", "1h", "--lost-after=10s"}, environment);
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->most, 0);
  EXPECT_EQ(limits->within, minutes(60));
  EXPECT_EQ(limits->silence, seconds(10));
}

TEST(RetryFlags, AFlagOrItsVariableSwitchesTheStandbyOff) {
  const auto wants = [](std::vector<std::string> words, const Environment& environment) {
    words.emplace_back(".");
    auto options = ParseBuildFlags(words, "docker depot");
    return options && WantsStandby((*options)->retry, environment);
  };
  EXPECT_TRUE(wants({}, {}));
  EXPECT_TRUE(wants({}, {{"DEPOT_NO_STANDBY", "0"}}));
  EXPECT_FALSE(wants({}, {{"DEPOT_NO_STANDBY", "1"}}));
  EXPECT_FALSE(wants({"--no-standby"}, {}));
}

TEST(RetryFlags, WhatIsNoNumberOrDurationIsRefused) {
  for (const char* bad :
       {"--retries=-1", "--retries=many", "--retries=1001", "--retry-for=10", "--retry-for=-1s",
        "--retry-for=25h", "--lost-after=9s", "--lost-after=10m1s", "--lost-after=20"}) {
    const auto limits = Limits({bad});
    ASSERT_FALSE(limits) << bad;
    EXPECT_EQ(limits.error().code(), ErrorCode::kUsage);
  }
  for (const auto& [name, value] :
       {std::pair{"DEPOT_RETRIES", "x"}, {"DEPOT_RETRY_FOR", "soon"}, {"DEPOT_LOST_AFTER", "0"}}) {
    const auto limits = Limits({}, {{name, value}});
    ASSERT_FALSE(limits) << name;
    EXPECT_NE(limits.error().message().find(name), std::string::npos);
  }
}

}  // namespace
}  // namespace depot::options::retry_flags_test
