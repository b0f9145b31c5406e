#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "driver/base/cancel.h"

namespace depot {

/// How long to wait between the tries of something that may pass: the waits grow from `first` by
/// `factor` up to `most`, and end before `deadline`. A value: every loop that tries again has one,
/// and counts its failures itself.
struct Backoff {
  std::chrono::milliseconds first{500};
  int factor = 2;
  std::chrono::milliseconds most{10'000};
  /// Each wait is shorter by a random part of this percentage, so that many who failed together
  /// do not come back together. 0 = exact.
  int jitter = 20;
  /// No wait ends later; unset = for ever.
  std::optional<Cancel::Clock::time_point> deadline{};

  /// The same with a deadline so far from now.
  Backoff Within(Cancel::Clock::duration patience) const;

  /// The wait after the `failed`th failure in a row (1 = the first); nullopt = give up, since it
  /// would end after the deadline.
  std::optional<std::chrono::milliseconds> WaitAfter(int failed) const;

  /// The wait that the peer asked for (Retry-After); nullopt when it is longer than `longest`, or
  /// would end after the deadline.
  std::optional<std::chrono::milliseconds> WaitAsked(std::chrono::milliseconds asked,
                                                     std::chrono::milliseconds longest) const;

 private:
  std::optional<std::chrono::milliseconds> InTime(std::chrono::milliseconds wait) const;
};

/// A wait for people: "0.5 s".
std::string ShownWait(std::chrono::milliseconds wait);

}  // namespace depot
