#pragma once

#include <algorithm>
#include <chrono>

namespace depot::session {

/// When to let a builder's requests for files gather. A builder that is busy with many small files
/// asks for one at a time, and each request by itself wakes three threads and costs both ends a
/// write. It does not wait for what it asked for, so those of a few milliseconds are answered
/// together. One that does wait, or asks seldom, must not be slowed down by that. Not synchronized.
class RequestPace {
 public:
  using Duration = std::chrono::steady_clock::duration;

  static constexpr std::chrono::milliseconds kGathering{10};

  /// A request has come that was waited for so long. Whether to sleep for kGathering before it is
  /// handed on, for those behind it.
  bool Gathers(Duration waited) {
    if (seen_ < kFew) ++seen_;
    if (waited < kAtOnce) {
      ++behind_;
      return false;
    }
    if (gathered_) Learn();
    gathered_ = false;
    behind_ = 0;
    if (seen_ < kFew) return false;
    if (left_out_ > 0) {
      --left_out_;
      return false;
    }
    gathered_ = true;
    return true;
  }

 private:
  /// What takes longer had not come yet.
  static constexpr std::chrono::microseconds kAtOnce{20};
  static constexpr int kFew = 64;
  static constexpr int kWorthIt = 2;
  static constexpr int kShortest = 16;
  static constexpr int kLongest = 1024;

  void Learn() {
    const bool worth_it = behind_ >= kWorthIt;
    if (!worth_it) left_out_ = pause_;
    pause_ = worth_it ? kShortest : std::min(pause_ * 2, kLongest);
  }

  int seen_ = 0;
  bool gathered_ = false;  // before the last request that was waited for
  int behind_ = 0;         // requests that were there at once after it
  int left_out_ = 0;       // requests that are handed on as they come
  int pause_ = kShortest;
};

}  // namespace depot::session
