#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "driver/base/result.h"

namespace depot::records {

/// Lets one thread at a time do something that takes a while, without a lock that is held
/// meanwhile: what others want by then, the next one does for all of them at once. `Work` is what
/// somebody wants. Safe to use from several threads.
template <typename Work>
class Batches {
 public:
  using Batch = std::vector<const Work*>;  // in the order they came
  using DoAll = std::function<Result<>(const Batch&)>;

  /// Has `work` done, by `all` on this thread or by that of another one; what that returns is
  /// returned to everybody in the batch. kTimeout when others are at it for longer than `patience`,
  /// and this has not begun.
  Result<> Do(const Work& work, std::chrono::milliseconds patience, const DoAll& all) {
    Entry entry{&work};
    std::unique_lock lock(mutex_);
    waiting_.push_back(&entry);
    const auto ready = [&] { return entry.outcome || !busy_; };
    if (!changed_.wait_for(lock, patience, ready) && !entry.begun) {
      std::erase(waiting_, &entry);
      return TooBusy();
    }
    // One that has begun ends.
    changed_.wait(lock, ready);
    if (entry.outcome) return *std::move(entry.outcome);
    const std::vector<Entry*> entries = std::exchange(waiting_, {});
    Batch batch;
    for (Entry* one : entries) {
      one->begun = true;
      batch.push_back(one->work);
    }
    Result<> outcome = Occupy(lock, [&] { return all(batch); });
    for (Entry* one : entries)
      one->outcome = outcome;
    changed_.notify_all();
    return outcome;
  }

  /// Does something while no batch is under way.
  Result<> DoBetween(std::chrono::milliseconds patience, const std::function<Result<>()>& work) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience, [&] { return !busy_; })) return TooBusy();
    Result<> outcome = Occupy(lock, work);
    changed_.notify_all();
    return outcome;
  }

 private:
  struct Entry {
    const Work* work;
    bool begun = false;
    std::optional<Result<>> outcome{};
  };

  static Result<> TooBusy() {
    return Fail(ErrorCode::kTimeout, "the queue is too busy at the moment");
  }

  Result<> Occupy(std::unique_lock<std::mutex>& lock, const std::function<Result<>()>& work) {
    busy_ = true;
    lock.unlock();
    Result<> outcome = work();
    lock.lock();
    busy_ = false;
    return outcome;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool busy_ = false;
  std::vector<Entry*> waiting_;
};

}  // namespace depot::records
