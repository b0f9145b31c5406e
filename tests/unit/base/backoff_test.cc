#include "driver/base/backoff.h"

#include <gtest/gtest.h>

namespace depot::backoff_test {
namespace {

using std::chrono::milliseconds;

TEST(BackoffTest, WaitsGrowUpToTheMost) {
  Backoff backoff{milliseconds(100), 3, milliseconds(800), 0, {}};
  EXPECT_EQ(backoff.WaitAfter(1), milliseconds(100));
  EXPECT_EQ(backoff.WaitAfter(2), milliseconds(300));
  EXPECT_EQ(backoff.WaitAfter(3), milliseconds(800));
  EXPECT_EQ(backoff.WaitAfter(1'000'000), milliseconds(800));
}

TEST(BackoffTest, JitterOnlyShortens) {
  Backoff backoff{milliseconds(1000), 2, milliseconds(1000), 20, {}};
  for (int i = 0; i < 1000; ++i) {
    auto wait = backoff.WaitAfter(1);
    ASSERT_TRUE(wait);
    EXPECT_LE(*wait, milliseconds(1000));
    EXPECT_GE(*wait, milliseconds(800));
  }
}

TEST(BackoffTest, NoWaitEndsAfterTheDeadline) {
  Backoff backoff{milliseconds(10'000), 2, milliseconds(10'000), 0, {}};
  EXPECT_TRUE(backoff.Within(std::chrono::hours(1)).WaitAfter(1));
  EXPECT_FALSE(backoff.Within(std::chrono::seconds(5)).WaitAfter(1));
  EXPECT_FALSE(
      backoff.Within(std::chrono::seconds(-1)).WaitAsked(milliseconds(0), milliseconds(1)));
}

TEST(BackoffTest, WhatThePeerAsksForIsKeptWithinBounds) {
  Backoff backoff{milliseconds(500), 2, milliseconds(1000), 20, {}};
  EXPECT_EQ(backoff.WaitAsked(milliseconds(0), milliseconds(5000)), milliseconds(0));
  EXPECT_EQ(backoff.WaitAsked(milliseconds(3000), milliseconds(5000)), milliseconds(3000));
  EXPECT_FALSE(backoff.WaitAsked(milliseconds(6000), milliseconds(5000)));
}

}  // namespace
}  // namespace depot::backoff_test
