#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "driver/base/result.h"

namespace depot::records {

/// Lets one thread at a time do something that takes a while, without a lock that is held
/// meanwhile.
class OneAtATime {
 public:
  /// The right to be the one; its destructor gives it back. Must not outlive its OneAtATime.
  class Turn {
   public:
    explicit Turn(OneAtATime& owner) : owner_(&owner) {}
    Turn(Turn&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (owner_ != nullptr) owner_->GiveBack();
    }

   private:
    OneAtATime* owner_;
  };

  /// kTimeout when others are at it for longer than `patience`.
  Result<Turn> Take(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    if (!free_.wait_for(lock, patience, [this] { return !taken_; })) {
      return Fail(ErrorCode::kTimeout, "the queue is too busy at the moment");
    }
    taken_ = true;
    return Turn(*this);
  }

 private:
  void GiveBack() {
    {
      std::lock_guard lock(mutex_);
      taken_ = false;
    }
    free_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable free_;
  bool taken_ = false;
};

}  // namespace depot::records
