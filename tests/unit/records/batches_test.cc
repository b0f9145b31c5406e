#include "pool/records/batches.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "driver/base/task_group.h"

namespace depot::records::batches_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Something that lasts until it is let go.
class Gate {
 public:
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex_);
    reached_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void WaitUntilReached() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return reached_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  bool reached_ = false;
};

TEST(Batches, WhatHasWaitedIsDoneTogetherAndOnce) {
  constexpr int kWorks = 6;
  Batches<int> batches;
  Gate gate;
  std::mutex mutex;
  std::vector<std::vector<int>> done;
  std::atomic<int> answers = 0;
  auto all = [&](const Batches<int>::Batch& batch) -> Result<> {
    std::vector<int> works;
    for (const int* work : batch)
      works.push_back(*work);
    if (works[0] == 0) gate.Pass();
    std::lock_guard lock(mutex);
    done.push_back(works);
    return {};
  };
  TaskGroup threads{Cancel::Never()};
  auto want = [&](int work) {
    threads.Start("want", [&, work](const Cancel&) -> Result<> {
      EXPECT_TRUE(batches.Do(work, seconds(60), all));
      ++answers;
      return {};
    });
  };
  want(0);
  gate.WaitUntilReached();
  for (int work = 1; work < kWorks; ++work)
    want(work);
  // The last may come after the first has gone on: then it goes with nobody.
  Cancel::Never().SleepFor(milliseconds(50));
  gate.Open();
  ASSERT_TRUE(threads.Wait());
  EXPECT_EQ(answers, kWorks);
  std::multiset<int> works;
  for (const auto& batch : done)
    works.insert(batch.begin(), batch.end());
  EXPECT_EQ(works, (std::multiset<int>{0, 1, 2, 3, 4, 5}));
}

TEST(Batches, AFailureIsThatOfAllInTheBatchAndOfNobodyElse) {
  Batches<int> batches;
  const int work = 1;
  auto fails = [](const auto&) -> Result<> { return Fail(ErrorCode::kInternal, "no"); };
  auto works = [](const auto&) -> Result<> { return {}; };
  EXPECT_EQ(batches.Do(work, seconds(60), fails).error().message(), "no");
  EXPECT_TRUE(batches.Do(work, seconds(60), works));
  EXPECT_FALSE(batches.DoBetween(seconds(60), [&] { return fails(0); }));
  EXPECT_TRUE(batches.DoBetween(seconds(60), [&] { return works(0); }));
}

TEST(Batches, WhoHasWaitedTooLongIsNotDone) {
  Batches<int> batches;
  Gate gate;
  TaskGroup thread{Cancel::Never()};
  thread.Start("first", [&](const Cancel&) {
    return batches.DoBetween(seconds(60), [&]() -> Result<> {
      gate.Pass();
      return {};
    });
  });
  gate.WaitUntilReached();
  const int work = 1;
  auto never = [](const auto&) -> Result<> {
    ADD_FAILURE() << "nobody wants it any more";
    return {};
  };
  EXPECT_EQ(batches.Do(work, milliseconds(1), never).error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(batches.DoBetween(milliseconds(1), [&] { return never(0); }).error().code(),
            ErrorCode::kTimeout);
  gate.Open();
  ASSERT_TRUE(thread.Wait());
  int seen = 0;
  EXPECT_TRUE(batches.Do(work, seconds(60), [&](const auto& batch) -> Result<> {
    seen = static_cast<int>(batch.size());
    return {};
  }));
  EXPECT_EQ(seen, 1);
}

}  // namespace
}  // namespace depot::records::batches_test
