#include "driver/base/retries.h"

namespace depot {

void Retries::Lost(Cancel::Clock::time_point now) {
  if (used_ > 0 && now - begin_ <= limits_.within) return;
  used_ = 0;
  begin_ = now;
}

std::optional<std::chrono::milliseconds> Retries::Next() {
  if (used_ >= limits_.most) return std::nullopt;
  Backoff backoff;
  backoff.deadline = begin_ + limits_.within;
  const auto wait = backoff.WaitAfter(used_ + 1);
  if (wait) ++used_;
  return wait;
}

}  // namespace depot
