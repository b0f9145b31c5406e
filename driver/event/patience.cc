#include "driver/event/patience.h"

#include <algorithm>

#include "driver/base/text.h"

namespace depot {
namespace {

std::string Seconds(Cancel::Clock::duration duration) {
  return Cat(std::chrono::duration_cast<std::chrono::seconds>(duration).count(), " s");
}

}  // namespace

Patience::Patience(EventSink& sink, Awaited who, const Cancel& cancel)
    : sink_(sink), who_(std::move(who)), source_(cancel) {
  watch_.Start("patience", [this](const Cancel& stop) { return Watch(stop); });
}

Patience::Clock::duration Patience::Silence() const {
  Clock::rep heard = heard_;
  if (heard == kResting) return Clock::duration::zero();
  return std::max(Clock::duration::zero(), Clock::duration(Now() - heard));
}

Result<> Patience::Watch(const Cancel& cancel) {
  constexpr std::chrono::seconds kOverslept(5);
  const bool limited = who_.limit.count() > 0;
  Clock::duration next_line = who_.first_line;
  while (true) {
    const Clock::duration silence = Silence();
    if (limited && silence >= who_.limit) {
      source_.Request(
          Error(ErrorCode::kTimeout, Cat(who_.name, " gave no sign of life for ", Seconds(silence)))
              .WithHint(who_.hint));
      return {};
    }
    if (silence < who_.first_line) {
      next_line = who_.first_line;
    } else if (silence >= next_line) {
      sink_.Say(Cat("waiting for ", who_.name, " (", Seconds(silence), ')'));
      next_line = silence + who_.next_lines;
    }
    Clock::duration pause = next_line - silence;
    if (limited) pause = std::min(pause, who_.limit - silence);
    const Clock::time_point wanted = Clock::now() + pause;
    if (!cancel.SleepFor(pause)) return {};
    // This process was stopped meanwhile.
    if (Clock::now() - wanted > kOverslept && heard_ != kResting) Heard();
  }
}

}  // namespace depot
