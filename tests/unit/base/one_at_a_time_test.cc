#include "driver/base/one_at_a_time.h"

#include <atomic>

#include <gtest/gtest.h>

#include "driver/base/task_group.h"

namespace depot::one_at_a_time_test {
namespace {

TEST(OneAtATime, LetsOneThroughAfterTheOther) {
  OneAtATime gate;
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  TaskGroup threads(Cancel::Never());
  for (int i = 0; i < 8; ++i) {
    threads.Start("thread", [&](const Cancel& cancel) -> Result<> {
      for (int round = 0; round < 200; ++round) {
        TRY_ASSIGN(const OneAtATime::Turn turn, gate.Begin(cancel));
        most = std::max(most.load(), ++inside);
        --inside;
      }
      return {};
    });
  }
  EXPECT_TRUE(threads.Wait());
  EXPECT_EQ(most, 1);
}

TEST(OneAtATime, WhoWaitsCanBeCancelled) {
  OneAtATime gate;
  auto turn = gate.Begin(Cancel::Never());
  ASSERT_TRUE(turn);
  const Cancel soon = Cancel::Never().WithTimeout(std::chrono::milliseconds(20), "the turn");
  EXPECT_EQ(gate.Begin(soon).error().code(), ErrorCode::kTimeout);
}

}  // namespace
}  // namespace depot::one_at_a_time_test
