#pragma once

#include <condition_variable>
#include <mutex>

#include "driver/base/cancel.h"
#include "driver/base/result.h"

namespace depot {

/// Work that blocks, and that only one thread may do at a time: the others wait, where they can be
/// cancelled, which a lock does not let them. Any thread.
class OneAtATime {
 public:
  /// Its thread's turn, until it is destroyed; the OneAtATime must outlive it.
  class Turn {
   public:
    explicit Turn(OneAtATime& of) : of_(&of) {}
    Turn(Turn&& other) noexcept : of_(other.of_) { other.of_ = nullptr; }
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (of_ != nullptr) of_->End();
    }

   private:
    OneAtATime* of_;
  };

  /// Waits until nobody else is at it. The Error is that of `cancel`.
  Result<Turn> Begin(const Cancel& cancel);

 private:
  void End();

  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool busy_ = false;
};

}  // namespace depot
