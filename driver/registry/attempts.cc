#include "driver/registry/attempts.h"

#include "driver/base/text.h"

namespace depot::registry {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxAttempts = 4;
constexpr std::chrono::seconds kWindow(60);
constexpr milliseconds kLongestPause(30'000);
constexpr milliseconds kFirstPause(500);
constexpr int kPauseGrowth = 3;

}  // namespace

Attempts::Attempts()
    : backoff_(Backoff{kFirstPause, kPauseGrowth, kLongestPause}.Within(kWindow)) {}

std::optional<milliseconds> Attempts::Next(std::optional<std::chrono::seconds> asked) {
  if (number_ == kMaxAttempts) return std::nullopt;
  const auto pause =
      asked ? backoff_.WaitAsked(*asked, kLongestPause) : backoff_.WaitAfter(number_);
  if (pause) ++number_;
  return pause;
}

std::string Attempts::Shown(milliseconds pause) const {
  return Cat("trying again in ", ShownWait(pause), " (attempt ", number_, " of ", kMaxAttempts,
             ')');
}

}  // namespace depot::registry
