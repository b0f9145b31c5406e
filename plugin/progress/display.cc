#include "plugin/progress/display.h"

#include <chrono>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "driver/base/task_group.h"
#include "plugin/progress/event_queue.h"
#include "plugin/progress/gitlab_layout.h"
#include "plugin/progress/plain_layout.h"
#include "plugin/progress/quiet_layout.h"
#include "plugin/progress/raw_json.h"
#include "plugin/progress/screen.h"
#include "plugin/progress/trace.h"
#include "plugin/progress/tty_layout.h"

namespace depot {
namespace {

using namespace std::chrono_literals;
using Clock = Trace::Clock;

constexpr auto kOpenLineTick = 500ms;
constexpr auto kCancelledWait = 500ms;

std::unique_ptr<Layout> MakeLayout(const DisplayOptions& options, const Trace& trace) {
  switch (options.mode) {
    case DisplayMode::kTty:
      return std::make_unique<TtyLayout>(trace, options.style, options.title,
                                         options.expand_warnings, Clock::now());
    case DisplayMode::kGitlab:
      return std::make_unique<GitlabLayout>(trace, options.style, options.expand_warnings,
                                            Clock::now(), std::time(nullptr));
    case DisplayMode::kQuiet:
    case DisplayMode::kNone:
      return std::make_unique<QuietLayout>(trace, options.mode == DisplayMode::kNone);
    default:
      return std::make_unique<PlainLayout>(trace, Clock::now(), options.expand_warnings,
                                           options.style.name_limit);
  }
}

/// What a layout is drawn on.
struct Sheet {
  std::function<void(std::string_view, const Cancel&)> write;
  std::function<ScreenSize()> size;
  bool colours = false;  ///< those of the steps' own output are kept
};

/// Nobody looks at the colours of what is neither a terminal nor GitLab's log.
bool KeepsColours(const DisplayOptions& options, const Terminal& terminal) {
  const bool looked_at = options.mode == DisplayMode::kGitlab || terminal.error_is_terminal();
  return options.style.tools_colours && looked_at;
}

/// The thread of a display, and how it ends.
class DisplayThread {
 public:
  /// Call last in the display's constructor. `run` ends soon after `close` was called.
  void Start(std::function<Result<>(const Cancel&)> run, std::function<void()> close) {
    close_ = std::move(close);
    thread_.Start("display", [this, run = std::move(run)](const Cancel& cancel) {
      Result<> ran = run(cancel);
      ended_.Request(Error(ErrorCode::kCancelled, "the display has ended"));
      return ran;
    });
  }

  /// For the display's destructor.
  void Leave() {
    Error cancelled(ErrorCode::kCancelled, "the display was left");
    if (!ending_) End(&cancelled);
  }

  void End(const Error* error) {
    ending_ = true;
    if (error != nullptr) error_ = *error;
    close_();
    const bool cancelled = error != nullptr && error->code() == ErrorCode::kCancelled;
    // A reader that has stopped reading must not keep a cancelled build from ending.
    if (cancelled && ended_.cancel().SleepFor(kCancelledWait)) thread_.Stop(*error);
    (void)thread_.Wait();
  }

  /// Of the build; the thread's own from the time on when `close` was called.
  const Error* error() const { return error_ ? &*error_ : nullptr; }

 private:
  std::function<void()> close_;
  std::optional<Error> error_;
  bool ending_ = false;
  CancelSource ended_;
  TaskGroup thread_{Cancel::Never()};
};

/// A Layout, drawn by a thread of its own.
class LayoutDisplay final : public Display {
 public:
  LayoutDisplay(const DisplayOptions& options, Sheet sheet)
      : sheet_(std::move(sheet)),
        pace_(options.style.pace),
        trace_(sheet_.colours),
        layout_(MakeLayout(options, trace_)),
        screen_(options.style.reflows) {
    thread_.Start([this](const Cancel& cancel) { return Run(cancel); }, [this] { queue_.Close(); });
  }

  ~LayoutDisplay() override { thread_.Leave(); }

  void Emit(Event event) override { queue_.Emit(std::move(event)); }

  void Finish(const Error* error) override { thread_.End(error); }

 private:
  Result<> Run(const Cancel& cancel) {
    Clock::time_point next = Clock::now();
    while (queue_.Wait(next, NextTick()) && !cancel.cancelled()) {
      const Clock::time_point now = Clock::now();
      const ScreenSize size = sheet_.size();
      layout_->Take(trace_.Apply(queue_.Take(), now), now);
      sheet_.write(screen_.Show(layout_->Draw(now, size), size), cancel);
      next = Clock::now() + pace_;
    }
    const Clock::time_point now = Clock::now();
    const ScreenSize size = sheet_.size();
    layout_->Take(trace_.End(), now);
    sheet_.write(screen_.Show(layout_->Finish(now, size, thread_.error()), size), cancel);
    return {};
  }

  std::optional<Clock::time_point> NextTick() const {
    std::optional<Clock::duration> patience = layout_->patience();
    if (!patience && trace_.waiting()) patience = kOpenLineTick;
    if (!patience) return std::nullopt;
    return Clock::now() + *patience;
  }

  const Sheet sheet_;
  const std::chrono::milliseconds pace_;
  EventQueue queue_;
  Trace trace_;                     ///< the thread's until it has ended
  std::unique_ptr<Layout> layout_;  ///< the same
  Screen screen_;                   ///< the same
  DisplayThread thread_;
};

/// RawJson, written by a thread of its own.
class RawJsonDisplay final : public Display {
 public:
  explicit RawJsonDisplay(Terminal& terminal) : terminal_(terminal) {
    thread_.Start([this](const Cancel& cancel) { return Run(cancel); },
                  [this] { events_.Close(); });
  }

  ~RawJsonDisplay() override { thread_.Leave(); }

  void Emit(Event event) override { events_.Put(std::move(event)); }

  void Finish(const Error* error) override { thread_.End(error); }

 private:
  Result<> Run(const Cancel& cancel) {
    while (events_.Wait() && !cancel.cancelled())
      terminal_.WriteError(events_.Take(), cancel);
    return {};
  }

  Terminal& terminal_;
  RawJson events_;
  DisplayThread thread_;
};

}  // namespace

Result<DisplayMode> ChooseMode(DisplayMode asked,
                               const Environment& environment,
                               const Terminal& terminal) {
  if (asked == DisplayMode::kTty && !terminal.error_is_terminal()) {
    return Fail(Error(ErrorCode::kUsage,
                      "--progress tty, or BUILDKIT_PROGRESS: standard error is not a terminal")
                    .WithHint("--progress plain is for logs and pipes; auto finds out by itself"));
  }
  if (asked != DisplayMode::kAuto) return asked;
  if (!TrimmedVariable(environment, "GITLAB_CI").empty()) return DisplayMode::kGitlab;
  const std::string kind = Variable(environment, "TERM");
  const bool able = terminal.error_is_terminal() && !kind.empty() && kind != "dumb";
  return able && Variable(environment, "CI").empty() ? DisplayMode::kTty : DisplayMode::kPlain;
}

std::unique_ptr<Display> MakeDisplay(const DisplayOptions& options, Terminal& terminal) {
  if (options.mode == DisplayMode::kRawJson) return std::make_unique<RawJsonDisplay>(terminal);
  auto write = [&terminal](std::string_view text, const Cancel& cancel) {
    terminal.WriteError(text, cancel);
  };
  auto size = [&terminal] { return terminal.size(); };
  return std::make_unique<LayoutDisplay>(options,
                                         Sheet{write, size, KeepsColours(options, terminal)});
}

std::unique_ptr<Display> MakePlainDisplay(DisplayOptions options,
                                          std::function<void(std::string_view)> write) {
  options.mode = DisplayMode::kPlain;
  auto put = [write = std::move(write)](std::string_view text, const Cancel&) { write(text); };
  return std::make_unique<LayoutDisplay>(options, Sheet{put, [] { return ScreenSize(); }, false});
}

}  // namespace depot
