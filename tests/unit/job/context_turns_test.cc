#include "plugin/job/context_turns.h"

#include <atomic>
#include <memory>

#include <gtest/gtest.h>

#include "driver/base/task_group.h"

namespace depot::job {
namespace {

const std::map<std::string, std::size_t> kOne = {{"context", 1}};

TEST(ContextTurns, TheNextWaitsForAllTransfers) {
  ContextTurns turns;
  ContextTurns::Turn first(turns, nullptr);
  ContextTurns::Turn second(turns, nullptr);
  ASSERT_TRUE(first.Begin("key", {{"context", 2}, {"other", 1}}, Cancel::Never()));
  first.Note("context", false);
  std::atomic<bool> sent{false};
  TaskGroup tasks(Cancel::Never());
  tasks.Start("second", [&](const Cancel& cancel) -> Result<> {
    Result<> begun = second.Begin("key", kOne, cancel);
    EXPECT_TRUE(sent);
    return begun;
  });
  first.Note("dockerfile", true);
  first.Note("context", true);
  first.Note("other", true);
  sent = true;
  first.Note("context", true);
  EXPECT_TRUE(tasks.Wait());
}

TEST(ContextTurns, OthersGoOn) {
  ContextTurns turns;
  ContextTurns::Turn first(turns, nullptr);
  ContextTurns::Turn other(turns, nullptr);
  ASSERT_TRUE(first.Begin("key", kOne, Cancel::Never()));
  EXPECT_TRUE(other.Begin("another", kOne, Cancel::Never()));
  EXPECT_TRUE(other.Begin("", kOne, Cancel::Never()));
  EXPECT_TRUE(other.Begin("key", {}, Cancel::Never()));
}

TEST(ContextTurns, OneThatSendsNothingIsNotWaitedFor) {
  ContextTurns turns;
  ContextTurns::Turn silent(turns, nullptr);
  ContextTurns::Turn next(turns, nullptr);
  ASSERT_TRUE(silent.Begin("key", kOne, Cancel::Never()));
  EXPECT_TRUE(next.Begin("key", kOne, Cancel::Never()));
  // The turn is the other's now.
  silent.End();
  next.Note("context", true);
  EXPECT_TRUE(silent.Begin("key", kOne, Cancel::Never()));
}

TEST(ContextTurns, EndsWithTheTarget) {
  ContextTurns turns;
  auto first = std::make_unique<ContextTurns::Turn>(turns, nullptr);
  ASSERT_TRUE(first->Begin("key", kOne, Cancel::Never()));
  first->Note("context", false);
  first.reset();
  ContextTurns::Turn second(turns, nullptr);
  EXPECT_TRUE(second.Begin("key", kOne, Cancel::Never()));
}

TEST(ContextTurns, WaitsNoLongerThanItsTarget) {
  ContextTurns turns;
  ContextTurns::Turn first(turns, nullptr);
  ASSERT_TRUE(first.Begin("key", kOne, Cancel::Never()));
  first.Note("context", false);
  CancelSource stop;
  stop.Request(Error(ErrorCode::kCancelled, "stopped"));
  ContextTurns::Turn second(turns, nullptr);
  EXPECT_FALSE(second.Begin("key", kOne, stop.cancel()));
}

}  // namespace
}  // namespace depot::job
