#include "driver/base/backoff.h"

#include <algorithm>

#include "driver/base/random.h"
#include "driver/base/text.h"

namespace depot {

using std::chrono::milliseconds;

Backoff Backoff::Within(Cancel::Clock::duration patience) const {
  Backoff bounded = *this;
  bounded.deadline = Cancel::Clock::now() + patience;
  return bounded;
}

std::optional<milliseconds> Backoff::InTime(milliseconds wait) const {
  if (deadline && Cancel::Clock::now() + wait > *deadline) return std::nullopt;
  return wait;
}

std::optional<milliseconds> Backoff::WaitAfter(int failed) const {
  milliseconds wait = std::min(first, most);
  for (int i = 1; i < failed && wait < most; ++i)
    wait = std::min(wait * factor, most);
  const std::string random = jitter > 0 ? RandomBytes(1) : std::string(1, '\0');
  const auto part = static_cast<unsigned char>(random[0]);
  wait -= wait * jitter / 100 * part / 255;
  return InTime(wait);
}

std::optional<milliseconds> Backoff::WaitAsked(milliseconds asked, milliseconds longest) const {
  if (asked > longest) return std::nullopt;
  return InTime(asked);
}

std::string ShownWait(milliseconds wait) {
  const auto tenths = (wait.count() + 50) / 100;
  return Cat(tenths / 10, '.', tenths % 10, " s");
}

}  // namespace depot
