#include "plugin/progress/tty_layout.h"

#include <algorithm>
#include <utility>

#include "driver/base/columns.h"
#include "driver/base/text.h"
#include "plugin/progress/closing.h"
#include "plugin/progress/figures.h"

namespace depot {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostStatuses = 8;
/// Of a name or a status, beside the time; what has less room is not shown.
constexpr std::size_t kLeastText = 4;
/// Lines that stay are not made narrower than this.
constexpr std::size_t kLeastColumns = 20;
/// After so long without a byte, how fast it was says nothing any more.
constexpr auto kStalled = 5s;
constexpr auto kMeasure = 200ms;

/// `left` and, at the right edge, `right`: all in at most `columns` cells.
std::string Row(std::string_view left,
                std::string_view right,
                std::string_view colour,
                std::size_t columns) {
  std::size_t room = columns;
  if (columns >= right.size() + 1 + kLeastText) {
    room = columns - right.size() - 1;
  } else {
    right = "";
  }
  std::string text = FitColumns(left, room);
  if (!right.empty()) text += Cat(std::string(room - Columns(text) + 1, ' '), right);
  return Painted(colour, text);
}

std::size_t OpenStatuses(const TraceNode& node) {
  auto open = std::count_if(node.statuses.begin(), node.statuses.end(),
                            [](const TraceStatus& status) { return !status.done; });
  return static_cast<std::size_t>(open);
}

/// A line of output without the seconds in front of it.
std::string_view WithoutTime(std::string_view line) {
  return line.substr(std::min(line.find(' '), line.size() - 1) + 1);
}

std::string Bytes(const TraceStatus& status) {
  if (status.total > 0) {
    return Cat(' ', ShownBytes(status.current), " / ", ShownBytes(status.total));
  }
  return status.current > 0 ? Cat(' ', ShownBytes(status.current)) : "";
}

}  // namespace

TtyLayout::TtyLayout(const Trace& trace,
                     Style style,
                     std::string title,
                     bool expand_warnings,
                     Clock::time_point start)
    : trace_(trace),
      style_(std::move(style)),
      title_(std::move(title)),
      expand_warnings_(expand_warnings),
      start_(start) {}

void TtyLayout::Take(TraceNews news, Clock::time_point now) {
  shown_.resize(trace_.size());
  for (std::string& notice : news.notices) {
    const bool warns = notice.starts_with("WARNING");
    above_.push_back(Painted(warns ? style_.colours.warning : "", notice));
  }
  for (const StepWarning& warning : news.warnings)
    above_.push_back(Painted(style_.colours.warning, Cat(" => WARN: ", warning.text)));
  for (StepLines& step : news.lines)
    output_.Add(std::move(step));
  for (std::size_t node : news.changed) {
    Move(node, now);
    Follow(node, now);
  }
  std::erase_if(running_, [this](std::size_t node) { return !shown_[node].running; });
}

void TtyLayout::Move(std::size_t node, Clock::time_point now) {
  const TraceNode& state = trace_.node(node);
  Shown& shown = shown_[node];
  if (state.hidden) return;
  if (!std::exchange(shown.counted, true)) ++total_;
  const bool runs = state.started && !state.completed;
  if (runs && std::exchange(shown.ended, false)) --done_;
  if (runs && !std::exchange(shown.running, true)) {
    shown.since = now;
    shown.before = state.elapsed;
    running_.push_back(node);
  }
  if (!state.completed || std::exchange(shown.ended, true)) return;
  ++done_;
  shown.running = false;
  shown.paces = {};
  if (!state.failed()) output_.Forget(node);
  ended_.push_back(node);
}

void TtyLayout::Follow(std::size_t node, Clock::time_point now) {
  const std::vector<TraceStatus>& statuses = trace_.node(node).statuses;
  Shown& shown = shown_[node];
  if (!shown.running) return;
  shown.paces.resize(statuses.size());
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    Pace& pace = shown.paces[i];
    const std::int64_t current = statuses[i].current;
    if (pace.when == Clock::time_point{} || current < pace.current) pace = {current, now, 0};
    const std::chrono::duration<double> took = now - pace.when;
    if (current == pace.current || took < kMeasure) continue;
    const double measured = static_cast<double>(current - pace.current) / took.count();
    const double speed = pace.per_second == 0 ? measured : 0.7 * pace.per_second + 0.3 * measured;
    pace = {current, now, speed};
  }
}

Frame TtyLayout::Draw(Clock::time_point now, ScreenSize size) {
  Frame frame;
  const std::size_t columns = size.columns > 1 ? size.columns - 1 : 0;
  const std::size_t rows = size.rows > 1 ? size.rows - 1 : 0;
  DrawEnded(frame.lines, columns);
  if (columns == 0 || rows == 0) return frame;
  frame.live.push_back(Header(now, columns, ""));
  std::size_t steps = running_.size();
  const bool all = steps < rows;
  if (!all) steps = rows < 3 ? 0 : rows - 2;
  const std::vector<Room> rooms = Share(steps, all ? rows - 1 - steps : 0);
  for (std::size_t i = 0; i < steps; ++i)
    DrawStep(running_[i], rooms[i], now, columns, frame.live);
  if (!all && rows > 1) {
    frame.live.push_back(FitColumns(Cat(" => and ", running_.size() - steps, " more"), columns));
  }
  return frame;
}

std::vector<TtyLayout::Room> TtyLayout::Share(std::size_t steps, std::size_t rows) const {
  std::vector<Room> wanted(steps);
  std::vector<Room> given(steps);
  for (std::size_t i = 0; i < steps; ++i) {
    wanted[i] = {std::min(kMostStatuses, OpenStatuses(trace_.node(running_[i]))),
                 std::min(style_.log_lines, output_.Of(running_[i]).size())};
  }
  for (bool more = true; more && rows > 0;) {
    more = false;
    for (std::size_t i = 0; i < steps; ++i) {
      for (std::size_t Room::*kind : {&Room::statuses, &Room::lines}) {
        if (rows == 0 || given[i].*kind >= wanted[i].*kind) continue;
        ++(given[i].*kind);
        --rows;
        more = true;
      }
    }
  }
  return given;
}

void TtyLayout::DrawStep(std::size_t node,
                         Room room,
                         Clock::time_point now,
                         std::size_t columns,
                         std::vector<std::string>& live) const {
  const TraceNode& state = trace_.node(node);
  const Shown& shown = shown_[node];
  live.push_back(Row(Cat(" => ", state.name), RunningTime(node, now), "", columns));
  for (std::size_t i = 0; i < shown.paces.size() && room.statuses > 0; ++i) {
    if (state.statuses[i].done) continue;
    --room.statuses;
    live.push_back(StatusLine(state.statuses[i], shown.paces[i], now, columns));
  }
  const std::deque<std::string>& lines = output_.Of(node);
  for (std::size_t i = lines.size() - room.lines; i < lines.size(); ++i) {
    const std::string line = FitColumns(Cat(" => => # ", WithoutTime(lines[i])), columns);
    live.push_back(Painted(style_.colours.faint, line));
  }
}

std::string TtyLayout::RunningTime(std::size_t node, Clock::time_point now) const {
  return ShownTime(shown_[node].before + (now - shown_[node].since));
}

std::string TtyLayout::StatusLine(const TraceStatus& status,
                                  const Pace& pace,
                                  Clock::time_point now,
                                  std::size_t columns) const {
  std::string figures = Bytes(status);
  if (pace.per_second >= 1 && now - pace.when < kStalled) {
    figures += Cat("  ", ShownBytes(static_cast<std::int64_t>(pace.per_second)), "/s");
    const double left = static_cast<double>(status.total - status.current) / pace.per_second;
    constexpr double kLongestLeft = 360'000;
    if (status.total > status.current && left < kLongestLeft) {
      const auto seconds = std::chrono::seconds(static_cast<std::int64_t>(left) + 1);
      figures +=
          Cat("  ", seconds < 100s ? Cat(seconds.count(), 's') : ShownTime(seconds), " left");
    }
  }
  return Row(Cat(" => => ", status.id), figures, "", columns);
}

std::string TtyLayout::Header(Clock::time_point now,
                              std::size_t columns,
                              std::string_view state) const {
  std::string left = Cat("[+] Building ", ShownTime(now - start_), " (", done_, '/', total_, ')');
  if (!state.empty()) left += Cat(' ', state);
  const bool fits = Columns(left) + Columns(title_) + 2 <= columns;
  std::string text = FitColumns(left, columns);
  if (!fits) return text;
  return Cat(text, std::string(columns - Columns(text) - Columns(title_), ' '), title_);
}

std::string TtyLayout::EndedLine(std::size_t node, std::size_t columns) const {
  const TraceNode& state = trace_.node(node);
  std::string_view how = state.cancelled        ? "CANCELED "
                         : !state.error.empty() ? "ERROR "
                         : state.cached         ? "CACHED "
                                                : "";
  const std::string& colour = state.cancelled        ? style_.colours.cancel
                              : !state.error.empty() ? style_.colours.error
                                                     : style_.colours.run;
  return Row(Cat(" => ", how, state.name), ShownTime(state.elapsed), colour, columns);
}

void TtyLayout::DrawEnded(std::string& out, std::size_t columns) {
  for (const std::string& line : std::exchange(above_, {}))
    out += Cat(line, '\n');
  for (std::size_t node : std::exchange(ended_, {})) {
    // A step that goes on after all has its end later.
    if (!shown_[node].ended) continue;
    out += Cat(EndedLine(node, std::max(columns, kLeastColumns)), '\n');
    for (const TraceStatus& status : trace_.node(node).statuses) {
      if (!IsResult(status)) continue;
      out += Cat(Painted(style_.colours.run, Cat(" => => ", status.id)), '\n');
    }
  }
}

std::string TtyLayout::FailedOutput() const {
  constexpr std::string_view kLogRule = "------\n";
  std::string out;
  for (std::size_t node = 0; node < shown_.size(); ++node) {
    if (!trace_.node(node).failed()) continue;
    out += Cat(kLogRule, " > ", trace_.node(node).name, ":\n");
    const std::size_t dropped = output_.Dropped(node);
    if (dropped > 0) out += Cat('[', dropped, " earlier lines were not kept]\n");
    for (const std::string& line : output_.Of(node))
      out += Cat(line, '\n');
    out += kLogRule;
  }
  return out;
}

Frame TtyLayout::Finish(Clock::time_point now, ScreenSize size, const Error* error) {
  Frame frame;
  const std::size_t columns = size.columns > 1 ? size.columns - 1 : 0;
  DrawEnded(frame.lines, columns);
  const bool cancelled = error != nullptr && error->code() == ErrorCode::kCancelled;
  std::string_view state = cancelled ? "CANCELED" : error != nullptr ? "FAILED" : "FINISHED";
  for (std::size_t node : running_) {
    const std::string_view how = cancelled ? "CANCELED " : "UNFINISHED ";
    frame.lines += Cat(Row(Cat(" => ", how, trace_.node(node).name), RunningTime(node, now),
                           style_.colours.cancel, std::max(columns, kLeastColumns)),
                       '\n');
  }
  if (total_ > 0) frame.lines += Cat(Header(now, std::max(columns, kLeastColumns), state), '\n');
  frame.lines += Summary(trace_);
  frame.lines += error != nullptr ? FailedOutput() : WarningSummary(trace_, expand_warnings_);
  return frame;
}

}  // namespace depot
