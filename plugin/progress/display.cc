#include "plugin/progress/display.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "driver/base/task_group.h"
#include "plugin/progress/event_queue.h"
#include "plugin/progress/layout.h"
#include "plugin/progress/trace.h"

namespace depot {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kRefresh = 100ms;
constexpr auto kTick = 500ms;
constexpr auto kCancelledWait = 500ms;

class ThreadedDisplay : public Display {
 public:
  ThreadedDisplay(const DisplayOptions& options, Terminal& terminal)
      : options_(options),
        terminal_(terminal),
        trace_(terminal.error_is_terminal()),
        layout_(trace_) {
    thread_.Start("display", [this](const Cancel& cancel) { return Run(cancel); });
  }

  ~ThreadedDisplay() override {
    if (finished_) return;
    Error cancelled(ErrorCode::kCancelled, "the display was left");
    End(&cancelled);
  }

  void Emit(Event event) override { queue_.Emit(std::move(event)); }

  void Finish(const Error* error) override { End(error); }

 private:
  void End(const Error* error) {
    finished_ = true;
    queue_.Close();
    const bool cancelled = error != nullptr && error->code() == ErrorCode::kCancelled;
    // A reader that has stopped reading must not keep a cancelled build from ending.
    if (cancelled && ended_.cancel().SleepFor(kCancelledWait)) thread_.Stop(*error);
    (void)thread_.Wait();
    std::string end;
    if (error != nullptr) {
      end = FailedSteps(trace_);
    } else if (options_.mode != DisplayMode::kQuiet) {
      end = WarningSummary(trace_, options_.expand_warnings);
    }
    Cancel patience = Cancel::Never();
    if (cancelled) patience = patience.WithTimeout(kCancelledWait, "writing to standard error");
    terminal_.WriteError(end, patience);
  }

  Result<> Run(const Cancel& cancel) {
    const bool quiet = options_.mode == DisplayMode::kQuiet;
    Clock::time_point next = Clock::now();
    while (true) {
      std::optional<Clock::time_point> tick;
      if (!quiet && layout_.waiting()) tick = Clock::now() + kTick;
      if (!queue_.Wait(next, tick) || cancel.cancelled()) break;
      trace_.Apply(queue_.Take());
      if (quiet) {
        Forget();
      } else {
        terminal_.WriteError(layout_.Update(Clock::now()), cancel);
      }
      next = Clock::now() + kRefresh;
    }
    if (!quiet) terminal_.WriteError(layout_.Finish(Clock::now()), cancel);
    ended_.Request(Error(ErrorCode::kCancelled, "the display has ended"));
    return {};
  }

  /// A quiet build shows tails only.
  void Forget() {
    for (std::size_t node : trace_.TakeChanged()) {
      trace_.node(node).lines.clear();
      trace_.node(node).line_bytes = 0;
      trace_.node(node).warnings.clear();
    }
    (void)trace_.TakeNotices();
  }

  const DisplayOptions options_;
  Terminal& terminal_;
  EventQueue queue_;
  Trace trace_;         ///< the thread's until it has ended
  PlainLayout layout_;  ///< the same
  CancelSource ended_;
  bool finished_ = false;
  TaskGroup thread_{Cancel::Never()};
};

}  // namespace

std::unique_ptr<Display> MakeDisplay(const DisplayOptions& options, Terminal& terminal) {
  return std::make_unique<ThreadedDisplay>(options, terminal);
}

}  // namespace depot
