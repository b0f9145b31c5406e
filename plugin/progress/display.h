#pragma once

#include <memory>

#include "driver/base/error.h"
#include "driver/event/sink.h"
#include "plugin/progress/terminal.h"

namespace depot {

/// How much is shown, and in which form.
enum class DisplayMode {
  kPlain,  ///< one line after the other, for logs and pipes
  kQuiet,  ///< nothing while building; the last lines of a step that failed
};

/// What the user said about the output.
struct DisplayOptions {
  DisplayMode mode = DisplayMode::kPlain;
  bool expand_warnings = false;  ///< `docker --debug`
};

/// Shows a build on standard error while it runs. Emit() comes from any thread and never waits for
/// the terminal; a thread of the display's own writes, at most ten times a second.
class Display : public EventSink {
 public:
  /// Call once, after the last Emit(), on the thread that made the display: shows what is left, at
  /// once, and then the last lines of the steps that failed, or the warnings of a build that
  /// succeeded (null). Does not show `error` itself. Waits for a slow reader of standard error, but
  /// at most a second when `error` is kCancelled.
  virtual void Finish(const Error* error) = 0;
};

/// `terminal` outlives the display, which is its only user until Finish() returns. A display that
/// is destroyed without Finish() ends like a cancelled build.
std::unique_ptr<Display> MakeDisplay(const DisplayOptions& options, Terminal& terminal);

}  // namespace depot
