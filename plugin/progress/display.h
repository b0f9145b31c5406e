#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "driver/base/environment.h"
#include "driver/base/error.h"
#include "driver/base/result.h"
#include "driver/event/sink.h"
#include "plugin/progress/style.h"
#include "plugin/progress/terminal.h"

namespace depot {

/// How much is shown, and in which form.
enum class DisplayMode {
  kAuto,     ///< ChooseMode() says which of the others
  kPlain,    ///< one line after the other, for logs and pipes: PlainLayout
  kTty,      ///< live, on a terminal: TtyLayout
  kGitlab,   ///< the log of a GitLab job: GitlabLayout
  kRawJson,  ///< the builder's events, for programs: RawJson
  kQuiet,    ///< nothing while building; the last lines of a step that failed
  kNone,     ///< nothing
};

/// What the user said about the output.
struct DisplayOptions {
  DisplayMode mode = DisplayMode::kPlain;  ///< not kAuto
  bool expand_warnings = false;            ///< `docker --debug`
  Style style{};
  std::string title{};  ///< the builder, for people: in the header of a live display
};

/// Which form it is to be: a GitLab job (GITLAB_CI) has its own, a terminal that can do more than
/// print, outside of any CI, the live one, all else is plain. kTty needs a terminal: without one it
/// is kInvalid, as with docker buildx.
Result<DisplayMode> ChooseMode(DisplayMode asked,
                               const Environment& environment,
                               const Terminal& terminal);

/// Shows a build on standard error while it runs. Emit() comes from any thread and never waits for
/// the terminal; a thread of the display's own writes, at most ten times a second.
class Display : public EventSink {
 public:
  /// Call once, after the last Emit(), on the thread that made the display: shows what is left, at
  /// once, and then the output of the steps that failed, or the warnings of a build that
  /// succeeded (null). Does not show `error` itself. Waits for a slow reader of standard error, but
  /// at most a second when `error` is kCancelled.
  virtual void Finish(const Error* error) = 0;
};

/// `terminal` outlives the display, which is its only user until Finish() returns. A display that
/// is destroyed without Finish() ends like a cancelled build.
std::unique_ptr<Display> MakeDisplay(const DisplayOptions& options, Terminal& terminal);

/// The lines of kPlain, without colours, to somewhere else: `write` is called on the display's own
/// thread with whole lines, or with nothing.
std::unique_ptr<Display> MakePlainDisplay(DisplayOptions options,
                                          std::function<void(std::string_view)> write);

}  // namespace depot
