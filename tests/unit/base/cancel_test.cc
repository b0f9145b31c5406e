#include "driver/base/cancel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "driver/base/fd.h"
#include "driver/base/task_group.h"

namespace depot::cancel_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kSoon{30};
constexpr std::chrono::seconds kNotSoon{20};

TEST(Cancel, NeverSaysGoOn) {
  Cancel cancel = Cancel::Never();
  EXPECT_FALSE(cancel.cancelled());
  EXPECT_TRUE(cancel.Check());
  EXPECT_FALSE(cancel.deadline());
  EXPECT_EQ(cancel.wake_fd(), -1);
  EXPECT_FALSE(cancel.stop_token().stop_possible());
}

TEST(Cancel, KeepsTheFirstCause) {
  CancelSource source;
  Cancel cancel = source.cancel();
  source.Request(Error(ErrorCode::kCancelled, "interrupted"));
  source.Request(Error(ErrorCode::kFailed, "later"));
  ASSERT_TRUE(cancel.cancelled());
  EXPECT_EQ(cancel.error().message(), "interrupted");
  Result<> checked = cancel.Check();
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::kCancelled);
}

TEST(Cancel, TimeoutNamesWhatWasWaitedFor) {
  Cancel cancel = Cancel::Never().WithTimeout(kSoon, "connecting to x:1");
  EXPECT_FALSE(cancel.cancelled());
  EXPECT_FALSE(cancel.SleepFor(kNotSoon));
  ASSERT_TRUE(cancel.cancelled());
  EXPECT_EQ(cancel.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(cancel.error().message(), "timed out: connecting to x:1");
}

TEST(Cancel, DeadlineIsOnlyEverShortened) {
  Cancel outer = Cancel::Never().WithTimeout(kSoon, "outer");
  Cancel inner = outer.WithTimeout(kNotSoon, "inner");
  EXPECT_EQ(inner.deadline(), outer.deadline());
  EXPECT_LT(*outer.WithTimeout(kSoon / 2, "shorter").deadline(), *outer.deadline() + kSoon);
  inner.SleepFor(kNotSoon);
  EXPECT_EQ(inner.error().message(), "timed out: outer");
}

TEST(Cancel, CauseBeatsDeadline) {
  CancelSource source;
  Cancel cancel = source.cancel().WithTimeout(milliseconds(0), "too late");
  source.Request(Error(ErrorCode::kCancelled, "interrupted"));
  EXPECT_EQ(cancel.error().message(), "interrupted");
}

TEST(Cancel, StopGoesDownAndNotUp) {
  CancelSource parent;
  CancelSource child(parent.cancel());
  CancelSource sibling(parent.cancel());
  sibling.Request(Error(ErrorCode::kFailed, "sibling"));
  EXPECT_FALSE(parent.cancel().cancelled());
  EXPECT_FALSE(child.cancel().cancelled());
  parent.Request(Error(ErrorCode::kCancelled, "parent"));
  ASSERT_TRUE(child.cancel().cancelled());
  EXPECT_EQ(child.cancel().error().message(), "parent");
  EXPECT_EQ(sibling.cancel().error().message(), "sibling");
}

TEST(Cancel, ChildOfAStoppedParentIsStopped) {
  CancelSource parent;
  parent.Request(Error(ErrorCode::kCancelled, "parent"));
  CancelSource child(parent.cancel());
  EXPECT_EQ(child.cancel().error().message(), "parent");
}

TEST(Cancel, ChildInheritsTheDeadline) {
  CancelSource child(Cancel::Never().WithTimeout(kSoon, "outer"));
  EXPECT_FALSE(child.cancel().SleepFor(kNotSoon));
  EXPECT_EQ(child.cancel().error().message(), "timed out: outer");
}

TEST(Cancel, OutlivesItsSource) {
  Cancel cancel;
  {
    CancelSource source;
    cancel = source.cancel();
    source.Request(Error(ErrorCode::kCancelled, "gone"));
  }
  EXPECT_EQ(cancel.error().message(), "gone");
}

TEST(Cancel, SleepIsCutShortByAnotherThread) {
  CancelSource source;
  TaskGroup group(Cancel::Never());
  group.Start("stopper", [&](const Cancel& cancel) -> Result<> {
    cancel.SleepFor(kSoon);
    source.Request(Error(ErrorCode::kCancelled, "stop"));
    return {};
  });
  auto begin = steady_clock::now();
  EXPECT_FALSE(source.cancel().SleepFor(kNotSoon));
  EXPECT_LT(steady_clock::now() - begin, kNotSoon / 2);
}

TEST(Cancel, SleepLastsAsLongAsAsked) {
  auto begin = steady_clock::now();
  EXPECT_TRUE(Cancel::Never().SleepFor(kSoon));
  EXPECT_GE(steady_clock::now() - begin, kSoon);
}

TEST(Cancel, WaitReturnsWhenReady) {
  std::mutex mutex;
  std::condition_variable_any changed;
  bool ready = false;
  TaskGroup group(Cancel::Never());
  group.Start("notifier", [&](const Cancel&) -> Result<> {
    {
      std::lock_guard lock(mutex);
      ready = true;
    }
    changed.notify_all();
    return {};
  });
  std::unique_lock lock(mutex);
  EXPECT_TRUE(Cancel::Never().Wait(lock, changed, [&] { return ready; }));
}

TEST(Cancel, WaitEndsWithTheDeadline) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  Cancel cancel = Cancel::Never().WithTimeout(kSoon, "nothing");
  EXPECT_FALSE(cancel.Wait(lock, changed, [] { return false; }));
}

class WaitForFdTest : public testing::Test {
 protected:
  void SetUp() override {
    int fds[2];
    ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    read_.Reset(fds[0]);
    write_.Reset(fds[1]);
  }

  Fd read_;
  Fd write_;
};

TEST_F(WaitForFdTest, ReturnsWhenReadable) {
  ASSERT_EQ(::write(write_.get(), "x", 1), 1);
  EXPECT_TRUE(WaitForFd(read_.get(), POLLIN, Cancel::Never()));
}

TEST_F(WaitForFdTest, ReturnsWhenThePeerHangsUp) {
  write_.Reset();
  EXPECT_TRUE(WaitForFd(read_.get(), POLLIN, Cancel::Never()));
}

TEST_F(WaitForFdTest, FailsAtTheDeadline) {
  Result<> result =
      WaitForFd(read_.get(), POLLIN, Cancel::Never().WithTimeout(kSoon, "reading the pipe"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "timed out: reading the pipe");
}

TEST_F(WaitForFdTest, FailsWhenCancelledFromAnotherThread) {
  CancelSource source;
  TaskGroup group(Cancel::Never());
  group.Start("stopper", [&](const Cancel& cancel) -> Result<> {
    cancel.SleepFor(kSoon);
    source.Request(Error(ErrorCode::kCancelled, "interrupted"));
    return {};
  });
  Result<> result = WaitForFd(read_.get(), POLLIN, source.cancel());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "interrupted");
}

TEST_F(WaitForFdTest, ChildOfACancelledParentWakesUp) {
  CancelSource parent;
  CancelSource child(parent.cancel());
  TaskGroup group(Cancel::Never());
  group.Start("stopper", [&](const Cancel& cancel) -> Result<> {
    cancel.SleepFor(kSoon);
    parent.Request(Error(ErrorCode::kCancelled, "interrupted"));
    return {};
  });
  auto begin = steady_clock::now();
  EXPECT_FALSE(WaitForFd(read_.get(), POLLIN, child.cancel()));
  EXPECT_LT(steady_clock::now() - begin, kNotSoon / 2);
}

}  // namespace
}  // namespace depot::cancel_test
