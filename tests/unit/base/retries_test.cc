#include "driver/base/retries.h"

#include <gtest/gtest.h>

namespace depot::retries_test {
namespace {

using std::chrono::seconds;

TEST(RetriesTest, CountsUpToTheMost) {
  Retries retries({2, seconds(600)});
  retries.Lost();
  EXPECT_TRUE(retries.Next());
  EXPECT_TRUE(retries.Next());
  EXPECT_FALSE(retries.Next());
  EXPECT_EQ(retries.used(), 2);
}

TEST(RetriesTest, NoneAreNone) {
  Retries retries({0, seconds(600)});
  retries.Lost();
  EXPECT_FALSE(retries.Next());
}

TEST(RetriesTest, NoTryBeginsAfterTheTime) {
  Retries retries({100, seconds(0)});
  retries.Lost();
  EXPECT_FALSE(retries.Next());
  EXPECT_EQ(retries.used(), 0);
}

TEST(RetriesTest, ALossSoonAfterAnotherIsCountedWithIt) {
  const auto now = Cancel::Clock::now();
  Retries retries({1, seconds(600)});
  retries.Lost(now - seconds(100));
  EXPECT_TRUE(retries.Next());
  retries.Lost(now);
  EXPECT_FALSE(retries.Next());
}

TEST(RetriesTest, WhatHeldForLongerThanTheTimeIsCountedAnew) {
  const auto now = Cancel::Clock::now();
  Retries retries({1, seconds(600)});
  retries.Lost(now - seconds(400));
  EXPECT_TRUE(retries.Next());
  retries.Lost(now + seconds(201));
  EXPECT_TRUE(retries.Next());
}

}  // namespace
}  // namespace depot::retries_test
