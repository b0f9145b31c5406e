#include "plugin/progress/gitlab_layout.h"

#include <algorithm>
#include <utility>

#include "driver/base/text.h"
#include "plugin/progress/closing.h"
#include "plugin/progress/figures.h"

namespace depot {
namespace {

using namespace std::chrono_literals;

/// A step that runs longer than this is shown live.
constexpr auto kLive = 2s;
constexpr auto kHeartbeat = 30s;

/// What GitLab takes for the mark of a section, in a text of others. It also wants a CR, which no
/// such text has; but some runners end lines with one.
std::string Defused(std::string text) {
  for (std::string_view mark : {"section_start", "section_end"}) {
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos;) {
      at += mark.size();
      if (at < text.size() && text[at] == ':') text.insert(at, 1, ' ');
    }
  }
  return text;
}

}  // namespace

GitlabLayout::GitlabLayout(const Trace& trace,
                           Style style,
                           bool expand_warnings,
                           Clock::time_point start,
                           std::int64_t unix_start)
    : trace_(trace),
      style_(std::move(style)),
      expand_warnings_(expand_warnings),
      start_(start),
      unix_start_(unix_start),
      last_output_(start) {}

void GitlabLayout::Take(TraceNews news, Clock::time_point now) {
  shown_.resize(trace_.size());
  for (const std::string& notice : news.notices) {
    const bool warns = notice.starts_with("WARNING");
    above_.push_back(Painted(warns ? style_.colours.warning : "", Cat("#0 ", notice)));
  }
  for (const StepWarning& warning : news.warnings) {
    above_.push_back(
        Painted(style_.colours.warning, Cat(Prefix(warning.node), "WARN: ", warning.text)));
  }
  for (StepLines& step : news.lines)
    output_.Add(std::move(step));
  for (std::size_t node : news.changed)
    Move(node, now);
  std::erase_if(running_, [this](std::size_t node) { return !shown_[node].running; });
}

void GitlabLayout::Move(std::size_t node, Clock::time_point now) {
  const TraceNode& state = trace_.node(node);
  Shown& shown = shown_[node];
  if (state.hidden || !state.started) return;
  if (!state.completed) {
    shown.ended = false;
    if (std::exchange(shown.running, true)) return;
    shown.since = now;
    running_.push_back(node);
    return;
  }
  shown.running = false;
  if (!std::exchange(shown.ended, true)) ended_.push_back(node);
}

Frame GitlabLayout::Draw(Clock::time_point now, ScreenSize /*size*/) {
  Frame frame;
  for (const std::string& line : std::exchange(above_, {}))
    frame.lines += Defused(Cat(line, '\n'));
  DrawEnded(frame.lines, now);
  ChooseLive(now);
  DrawLive(frame.lines, now);
  if (!frame.lines.empty()) last_output_ = now;
  DrawHeartbeat(frame.lines, now);
  return frame;
}

void GitlabLayout::ChooseLive(Clock::time_point now) {
  if (live_ || running_.empty()) return;
  for (std::size_t node : running_) {
    if (now - shown_[node].since < kLive || output_.Of(node).empty()) continue;
    live_ = node;
    return;
  }
}

void GitlabLayout::DrawEnded(std::string& out, Clock::time_point now) {
  std::vector<std::size_t> ended = std::exchange(ended_, {});
  // The one that is shown goes first, so that its end stays with it.
  std::stable_partition(ended.begin(), ended.end(),
                        [this](std::size_t node) { return node == live_; });
  for (std::size_t node : ended) {
    if (!shown_[node].ended) continue;
    CloseLive(out, now);
    DrawWhole(node, HowItEnded(node), out, now);
    if (node == live_) live_.reset();
    output_.Forget(node);
  }
}

void GitlabLayout::DrawWhole(std::size_t node,
                             std::string_view how,
                             std::string& out,
                             Clock::time_point now) {
  const TraceNode& state = trace_.node(node);
  const std::string heading = Heading(node, how);
  const bool results = std::any_of(state.statuses.begin(), state.statuses.end(), IsResult);
  if (output_.Of(node).empty() && !results) {
    out += Defused(Cat(heading, '\n'));
    if (state.failed()) out += Defused(Cat(Prefix(node), state.error, '\n'));
    return;
  }
  Begin(node, heading, state.failed() ? Fold::kOpen : Fold::kClosed, state.elapsed, out, now);
  DrawLines(node, out);
  for (const TraceStatus& status : state.statuses) {
    if (IsResult(status)) out += Defused(Cat(Prefix(node), status.id, '\n'));
  }
  if (state.failed()) {
    out += Defused(Cat(Painted(style_.colours.error, Cat(Prefix(node), state.error)), '\n'));
  }
  End(node, out, now);
}

void GitlabLayout::DrawLive(std::string& out, Clock::time_point now) {
  if (!live_ || output_.Of(*live_).empty()) return;
  if (!std::exchange(open_, true)) {
    const bool goes_on = shown_[*live_].sections > 0;
    Begin(*live_, Heading(*live_, goes_on ? "goes on" : "runs"), Fold::kOpen,
          goes_on ? Elapsed{0} : Elapsed(now - shown_[*live_].since), out, now);
  }
  DrawLines(*live_, out);
}

void GitlabLayout::DrawLines(std::size_t node, std::string& out) {
  Shown& shown = shown_[node];
  const std::size_t most = kBudget + (trace_.node(node).failed() ? kFailureBudget : 0);
  const std::deque<std::string>& lines = output_.Of(node);
  // Of what does not fit the end is worth most when the step failed, else the beginning.
  std::size_t first = 0;
  if (trace_.node(node).failed()) {
    std::size_t wanted = 0;
    first = lines.size();
    while (first > 0 && spent_ + wanted + lines[first - 1].size() < most)
      wanted += lines[--first].size();
  }
  std::size_t dropped = output_.Dropped(node) + first;
  if (dropped > 0) out += Cat(Prefix(node), '[', dropped, " lines left out]\n");
  for (std::size_t i = first; i < lines.size(); ++i) {
    if (spent_ + lines[i].size() > most) {
      ++shown.left_out;
      continue;
    }
    spent_ += lines[i].size();
    out += Defused(Cat(Prefix(node), lines[i], '\n'));
  }
  output_.Forget(node);
}

void GitlabLayout::DrawHeartbeat(std::string& out, Clock::time_point now) {
  if (running_.empty() || now - last_output_ < kHeartbeat) return;
  last_output_ = now;
  const std::size_t node = live_.value_or(running_.front());
  out += Defused(Cat("still running: ", trace_.node(node).name, " (",
                     ShownTime(now - shown_[node].since), ')',
                     running_.size() > 1 ? Cat(" and ", running_.size() - 1, " more") : "", '\n'));
}

void GitlabLayout::Begin(std::size_t node,
                         std::string_view heading,
                         Fold fold,
                         Elapsed ago,
                         std::string& out,
                         Clock::time_point now) {
  Shown& shown = shown_[node];
  const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(ago).count();
  out += Cat("\x1b[0Ksection_start:", std::max<std::int64_t>(0, Unix(now) - seconds), ":depot_",
             shown.number, '_', ++shown.sections, fold == Fold::kClosed ? "[collapsed=true]" : "",
             "\r\x1b[0K", Defused(std::string(heading)), '\n');
}

void GitlabLayout::End(std::size_t node, std::string& out, Clock::time_point now) {
  Shown& shown = shown_[node];
  const std::size_t left_out = std::exchange(shown.left_out, 0);
  if (left_out > 0) {
    out += Cat(Prefix(node), '[', left_out,
               " lines left out: the steps have printed as much as a job's log can take]\n");
  }
  out += Cat("\x1b[0Ksection_end:", Unix(now), ":depot_", shown.number, '_', shown.sections,
             "\r\x1b[0K\n");
}

void GitlabLayout::CloseLive(std::string& out, Clock::time_point now) {
  if (!std::exchange(open_, false)) return;
  if (shown_[*live_].ended) DrawLines(*live_, out);
  End(*live_, out, now);
}

std::string GitlabLayout::Prefix(std::size_t node) {
  Shown& shown = shown_[node];
  if (shown.number == 0) shown.number = ++numbers_;
  return Cat('#', shown.number, ' ');
}

std::string GitlabLayout::Heading(std::size_t node, std::string_view how) {
  const TraceNode& state = trace_.node(node);
  const std::string& colour = state.cancelled   ? style_.colours.cancel
                              : state.failed()  ? style_.colours.error
                              : state.completed ? style_.colours.run
                                                : style_.colours.bold;
  return Cat(Prefix(node), Painted(style_.colours.bold, state.name), ' ', Painted(colour, how));
}

std::string GitlabLayout::HowItEnded(std::size_t node) const {
  const TraceNode& state = trace_.node(node);
  if (state.cancelled) return "CANCELED";
  if (state.failed()) return Cat("ERROR ", ShownTime(state.elapsed));
  return state.cached ? "CACHED" : Cat("DONE ", ShownTime(state.elapsed));
}

std::int64_t GitlabLayout::Unix(Clock::time_point now) const {
  return unix_start_ + std::chrono::duration_cast<std::chrono::seconds>(now - start_).count();
}

Frame GitlabLayout::Finish(Clock::time_point now, ScreenSize size, const Error* error) {
  Frame frame = Draw(now, size);
  CloseLive(frame.lines, now);
  const bool cancelled = error != nullptr && error->code() == ErrorCode::kCancelled;
  for (std::size_t node : std::exchange(running_, {}))
    DrawWhole(node, cancelled ? "CANCELED" : "UNFINISHED", frame.lines, now);
  if (numbers_ == 0) return frame;
  frame.lines += Cat(Painted(style_.colours.bold, HowLong(error, now - start_)), '\n');
  frame.lines += Defused(Summary(trace_));
  frame.lines +=
      Defused(error != nullptr ? FailedSteps(trace_) : WarningSummary(trace_, expand_warnings_));
  return frame;
}

std::optional<Layout::Clock::duration> GitlabLayout::patience() const {
  if (running_.empty()) return std::nullopt;
  return 1s;
}

}  // namespace depot
