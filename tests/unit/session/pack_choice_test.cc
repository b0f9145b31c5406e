#include "driver/session/pack_choice.h"

#include <gtest/gtest.h>

namespace depot::session::pack_choice_test {
namespace {

/// A link and a packer, each with its bytes per second; sends messages as a tunnel would.
struct Sender {
  double link = 0;
  double packer = 100e6;
  double shrinks_to = 0.3;
  double pause = 0;  ///< before each message

  /// The share of `total` bytes that was packed.
  double Send(std::size_t total) {
    constexpr std::size_t kMessage = 64 << 10;
    std::size_t packed = 0;
    for (std::size_t sent = 0; sent < total; sent += kMessage) {
      double seconds = kMessage / link;
      auto left = kMessage;
      if (choice.packs()) {
        packed += kMessage;
        left = static_cast<std::size_t>(kMessage * shrinks_to);
        seconds = static_cast<double>(left) / link + kMessage / packer;
      }
      Wait(pause);
      const PackChoice::Time begin = now;
      Wait(seconds);
      choice.Sent(kMessage, left, begin, now);
    }
    return static_cast<double>(packed) / static_cast<double>(total);
  }

  void Wait(double seconds) {
    using Duration = std::chrono::steady_clock::duration;
    now += std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  }

  PackChoice choice;
  PackChoice::Time now{};
};

TEST(PackChoice, PacksOnASlowLink) {
  Sender sender{.link = 6e6};
  EXPECT_GT(sender.Send(200 << 20), 0.9);
}

TEST(PackChoice, NeverPacksOnAFastLink) {
  Sender sender{.link = 400e6};
  EXPECT_EQ(sender.Send(1 << 30), 0);
}

TEST(PackChoice, WhatDoesNotShrinkIsHardlyTried) {
  Sender sender{.link = 6e6, .shrinks_to = 1};
  EXPECT_LT(sender.Send(200 << 20), 0.1);
}

/// A builder that is busy with many small files has all sorts of rates.
TEST(PackChoice, WhatDoesNotShrinkIsNotTakenForFasterByChance) {
  Sender sender{.link = 1e6, .shrinks_to = 1};
  double packed = 0;
  for (int i = 0; i < 100; ++i) {
    packed += sender.Send(2 << 20);
    sender.link = sender.choice.packs() ? 3e6 : 1e6;
  }
  EXPECT_LT(packed / 100, 0.1);
}

TEST(PackChoice, ABuilderThatUnpacksTooSlowlyGetsItPlain) {
  Sender sender{.link = 20e6, .packer = 15e6};
  EXPECT_LT(sender.Send(400 << 20), 0.1);
}

TEST(PackChoice, FollowsALinkThatChanges) {
  Sender sender{.link = 400e6};
  EXPECT_EQ(sender.Send(200 << 20), 0);
  sender.link = 3e6;
  EXPECT_GT(sender.Send(50 << 20), 0.7);
  sender.link = 400e6;
  (void)sender.Send(2000ULL << 20);
  EXPECT_LT(sender.Send(1 << 30), 0.1);
}

/// Buffers take the first bytes at once, and say nothing of the link behind them.
TEST(PackChoice, IsNotDeceivedByBuffers) {
  Sender sender{.link = 400e6};
  EXPECT_EQ(sender.Send(8 << 20), 0);
  sender.link = 6e6;
  EXPECT_GT(sender.Send(50 << 20), 0.7);
}

TEST(PackChoice, ASlowDiskIsNoReason) {
  Sender sender{.link = 400e6, .pause = 0.02};
  EXPECT_LT(sender.Send(200 << 20), 0.1);
}

TEST(PackChoice, PausesSayNothingOfTheLink) {
  Sender sender{.link = 400e6, .pause = 5};
  EXPECT_EQ(sender.Send(200 << 20), 0);
}

}  // namespace
}  // namespace depot::session::pack_choice_test
