#include "driver/session/request_pace.h"

#include <gtest/gtest.h>

namespace depot::session::request_pace_test {
namespace {

using std::chrono::microseconds;

constexpr microseconds kThere{1};

/// A builder that asks for `files`, one each `apart`, whatever it has been sent. How often they
/// were let gather.
int Trickle(RequestPace& pace, int files, microseconds apart) {
  int gathered = 0;
  while (files > 0) {
    --files;
    if (!pace.Gathers(apart)) continue;
    ++gathered;
    for (auto come = RequestPace::kGathering / apart; come > 0 && files > 0; --come, --files)
      EXPECT_FALSE(pace.Gathers(kThere));
  }
  return gathered;
}

TEST(RequestPace, ATrickleIsTakenTogether) {
  RequestPace pace;
  const int gathered = Trickle(pace, 50'000, microseconds(500));
  EXPECT_GT(gathered, 2'000);
  EXPECT_LT(gathered, 2'500);
}

TEST(RequestPace, AFewFilesAreSentAsTheyAreAskedFor) {
  RequestPace pace;
  EXPECT_EQ(Trickle(pace, 60, microseconds(500)), 0);
}

TEST(RequestPace, WhatComesAtOnceNeedsNoGathering) {
  RequestPace pace;
  EXPECT_EQ(Trickle(pace, 50'000, kThere), 0);
}

TEST(RequestPace, ABuilderThatWaitsForEachFileIsHardlySlowedDown) {
  RequestPace pace;
  int gathered = 0;
  for (int file = 0; file < 50'000; ++file)
    gathered += pace.Gathers(microseconds(300)) ? 1 : 0;
  EXPECT_LT(gathered, 60);
}

TEST(RequestPace, ATrickleIsFoundAgainAfterThat) {
  RequestPace pace;
  for (int file = 0; file < 1000; ++file)
    (void)pace.Gathers(microseconds(300));
  EXPECT_GT(Trickle(pace, 50'000, microseconds(500)), 1'500);
}

}  // namespace
}  // namespace depot::session::request_pace_test
