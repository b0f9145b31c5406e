#include "driver/base/task_group.h"

#include <atomic>

#include <gtest/gtest.h>
#include <pthread.h>

namespace depot::task_group_test {
namespace {

constexpr std::chrono::seconds kNotSoon{20};

TEST(TaskGroup, WaitJoinsEveryTask) {
  std::atomic<int> ran = 0;
  TaskGroup group(Cancel::Never());
  for (int i = 0; i < 20; ++i) {
    group.Start("task", [&](const Cancel&) -> Result<> {
      ++ran;
      return {};
    });
  }
  EXPECT_TRUE(group.Wait());
  EXPECT_EQ(ran, 20);
}

TEST(TaskGroup, FirstFailureStopsTheOthersAndIsTheResult) {
  std::atomic<bool> stopped = false;
  TaskGroup group(Cancel::Never());
  group.Start("waits", [&](const Cancel& cancel) -> Result<> {
    stopped = !cancel.SleepFor(kNotSoon);
    return Fail(cancel.error());
  });
  group.Start("fails",
              [](const Cancel&) -> Result<> { return Fail(ErrorCode::kFailed, "the real cause"); });
  Result<> result = group.Wait();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "the real cause");
  EXPECT_TRUE(stopped);
}

TEST(TaskGroup, FailureDoesNotTouchTheParent) {
  CancelSource parent;
  TaskGroup group(parent.cancel());
  group.Start("fails", [](const Cancel&) -> Result<> { return Fail(ErrorCode::kFailed, "x"); });
  EXPECT_FALSE(group.Wait());
  EXPECT_TRUE(group.cancel().cancelled());
  EXPECT_FALSE(parent.cancel().cancelled());
}

TEST(TaskGroup, StopsWithItsParent) {
  CancelSource parent;
  TaskGroup group(parent.cancel());
  group.Start("waits", [](const Cancel& cancel) -> Result<> {
    cancel.SleepFor(kNotSoon);
    return cancel.Check();
  });
  parent.Request(Error(ErrorCode::kCancelled, "interrupted"));
  Result<> result = group.Wait();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "interrupted");
}

TEST(TaskGroup, RunningTaskMayStartAnother) {
  std::atomic<bool> second_ran = false;
  TaskGroup group(Cancel::Never());
  group.Start("first", [&](const Cancel&) -> Result<> {
    group.Start("second", [&](const Cancel&) -> Result<> {
      second_ran = true;
      return {};
    });
    return {};
  });
  EXPECT_TRUE(group.Wait());
  EXPECT_TRUE(second_ran);
}

TEST(TaskGroup, CanBeUsedAgainAfterWait) {
  std::atomic<int> ran = 0;
  auto task = [&](const Cancel&) -> Result<> {
    ++ran;
    return {};
  };
  TaskGroup group(Cancel::Never());
  EXPECT_TRUE(group.Wait());
  group.Start("one", task);
  EXPECT_TRUE(group.Wait());
  group.Start("two", task);
  EXPECT_TRUE(group.Wait());
  EXPECT_EQ(ran, 2);
}

TEST(TaskGroup, DestructorStopsAndJoins) {
  std::atomic<bool> ended = false;
  auto begin = std::chrono::steady_clock::now();
  {
    TaskGroup group(Cancel::Never());
    group.Start("waits", [&](const Cancel& cancel) -> Result<> {
      cancel.SleepFor(kNotSoon);
      ended = true;
      return {};
    });
  }
  EXPECT_TRUE(ended);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kNotSoon / 2);
}

/// While it lives no thread can start: its stack would fill the whole address space.
class NoMoreThreads {
 public:
  NoMoreThreads() {
    ::pthread_getattr_default_np(&usual_);
    pthread_attr_t huge;
    ::pthread_getattr_default_np(&huge);
    ::pthread_attr_setstacksize(&huge, std::size_t{1} << 47);
    ::pthread_setattr_default_np(&huge);
    ::pthread_attr_destroy(&huge);
  }

  ~NoMoreThreads() {
    ::pthread_setattr_default_np(&usual_);
    ::pthread_attr_destroy(&usual_);
  }

 private:
  pthread_attr_t usual_;
};

TEST(TaskGroup, ATaskThatGetsNoThreadHasFailed) {
  std::atomic<bool> stopped = false;
  bool ran = false;
  TaskGroup group(Cancel::Never());
  group.Start("waits", [&](const Cancel& cancel) -> Result<> {
    stopped = !cancel.SleepFor(kNotSoon);
    return {};
  });
  {
    NoMoreThreads now;
    group.Start("refused", [&](const Cancel&) -> Result<> {
      ran = true;
      return {};
    });
  }
  Result<> result = group.Wait();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "start the thread refused: resource temporarily unavailable");
  EXPECT_TRUE(stopped);
  EXPECT_FALSE(ran);
}

TEST(TaskGroup, NamesItsThreads) {
  std::string name;
  TaskGroup group(Cancel::Never());
  group.Start("a-name-that-is-too-long", [&](const Cancel&) -> Result<> {
    char buffer[32] = "";
    ::pthread_getname_np(::pthread_self(), buffer, sizeof buffer);
    name = buffer;
    return {};
  });
  EXPECT_TRUE(group.Wait());
  EXPECT_EQ(name, "a-name-that-is-");
}

}  // namespace
}  // namespace depot::task_group_test
