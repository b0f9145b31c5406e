#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/error.h"
#include "plugin/progress/screen_size.h"
#include "plugin/progress/trace.h"

namespace depot {

/// What a layout wants to be seen.
struct Frame {
  std::string lines;  ///< to stay for good: whole lines, each ending in a newline; often empty
  std::vector<std::string> live;  ///< below them, until the next frame; each fits in one row
};

/// Draws a build: state and time into text. Pure: it writes nothing and asks no clock. A layout
/// takes the news of a Trace, which outlives it, as one of several readers. One thread at a time.
class Layout {
 public:
  using Clock = Trace::Clock;

  virtual ~Layout() = default;

  /// What happened, once per Trace::Apply().
  virtual void Take(TraceNews news, Clock::time_point now) = 0;

  /// What to show now; `size` only matters to those who have `live` lines.
  virtual Frame Draw(Clock::time_point now, ScreenSize size) = 0;

  /// What was held back, and what is said at the end of a build that failed by `error`, or
  /// succeeded (null), without the error itself: no `live` lines any more. The last call.
  virtual Frame Finish(Clock::time_point now, ScreenSize size, const Error* error) = 0;

  /// How soon Draw() wants to be called again even when nothing happens; nullopt = it need not be.
  virtual std::optional<Clock::duration> patience() const = 0;
};

}  // namespace depot
