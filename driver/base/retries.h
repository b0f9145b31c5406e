#pragma once

#include <chrono>
#include <optional>

#include "driver/base/backoff.h"

namespace depot {

/// When something counts as lost, and how often, and for how long, it is begun again then. 0 =
/// never.
struct RetryLimits {
  int most = 0;
  std::chrono::seconds within{600};  ///< since the loss that the first of them followed
  std::chrono::seconds silence{20};  ///< a peer that says nothing for so long is lost
};

/// Counts the tries of one thing within its limits, with growing waits. One thread.
class Retries {
 public:
  explicit Retries(RetryLimits limits) : limits_(limits) {}

  /// It was lost at `now`. Counting begins anew when it has come through RetryLimits::within since
  /// it last did: who is lost once an hour is not lost for good.
  void Lost(Cancel::Clock::time_point now = Cancel::Clock::now());

  /// How long to wait before the next try, which is counted; nullopt = no more of them.
  std::optional<std::chrono::milliseconds> Next();

  /// Of those that counted.
  int used() const { return used_; }
  int most() const { return limits_.most; }

 private:
  const RetryLimits limits_;
  int used_ = 0;
  Cancel::Clock::time_point begin_{};
};

}  // namespace depot
