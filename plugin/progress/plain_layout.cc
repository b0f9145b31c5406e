#include "plugin/progress/plain_layout.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "driver/base/text.h"
#include "plugin/progress/closing.h"
#include "plugin/progress/figures.h"

namespace depot {
namespace {

using namespace std::chrono_literals;

/// How long a running step waits for its turn while another one keeps printing: nobody is to wonder
/// what it does.
constexpr auto kTurn = 2s;
/// How long it waits when the one on the screen says nothing.
constexpr auto kSilence = 1s;
constexpr auto kStatusEvery = 5s;
constexpr auto kTick = 500ms;
constexpr std::size_t kMaxWarnings = 100;
constexpr std::int64_t kStatusSteps = 20;
constexpr std::size_t kMaxHeldBytes = 512 << 10;
constexpr std::size_t kMaxHeldInAll = 4 << 20;

std::string StatusText(const TraceStatus& status) {
  std::string text = status.id;
  if (status.total > 0) {
    text += Cat(' ', ShownBytes(status.current), " / ", ShownBytes(status.total));
  } else if (status.current > 0) {
    text += Cat(' ', ShownBytes(status.current));
  }
  if (status.elapsed > 10ms) text += Cat(' ', ShownSeconds(status.elapsed));
  if (status.done) text += " done";
  return text;
}

std::string EndText(const TraceNode& node) {
  if (node.cancelled) return "CANCELED";
  if (!node.error.empty()) return Cat("ERROR: ", node.error);
  if (node.cached) return "CACHED";
  return Cat("DONE ", ShownSeconds(node.elapsed));
}

}  // namespace

void PlainLayout::Take(TraceNews news, Clock::time_point now) {
  shown_.resize(trace_.size());
  std::move(news.notices.begin(), news.notices.end(), std::back_inserter(notices_));
  for (StepLines& step : news.lines) {
    Shown& shown = shown_[step.node];
    for (std::string& line : step.lines) {
      shown.line_bytes += line.size() + sizeof(std::string);
      shown.lines.push_back(std::move(line));
    }
  }
  for (StepWarning& warning : news.warnings) {
    std::vector<std::string>& warnings = shown_[warning.node].warnings;
    if (warnings.size() < kMaxWarnings) warnings.push_back(std::move(warning.text));
  }
  for (std::size_t node : news.changed) {
    Shown& shown = shown_[node];
    const TraceNode& state = trace_.node(node);
    if (!state.completed) shown.ended = false;
    if (state.hidden || !state.started) continue;
    if (std::exchange(shown.waits, true)) continue;
    shown.waiting_since = now;
    waiting_.push_back(node);
  }
}

Frame PlainLayout::Draw(Clock::time_point now, ScreenSize /*size*/) {
  Frame frame;
  PrintNotices(frame.lines);
  PrintEnded(frame.lines, now);
  PrintRunning(frame.lines, now);
  return frame;
}

Frame PlainLayout::Finish(Clock::time_point now, ScreenSize /*size*/, const Error* error) {
  Frame frame;
  PrintNotices(frame.lines);
  PrintEnded(frame.lines, now);
  for (std::size_t node : std::exchange(waiting_, {}))
    PrintNode(node, frame.lines, now);
  PrintSummary(error, frame.lines, now);
  frame.lines += error != nullptr ? FailedSteps(trace_) : WarningSummary(trace_, expand_warnings_);
  return frame;
}

std::optional<Layout::Clock::duration> PlainLayout::patience() const {
  if (waiting_.empty()) return std::nullopt;
  return kTick;
}

void PlainLayout::PrintNotices(std::string& out) {
  for (const std::string& notice : std::exchange(notices_, {})) {
    SwitchTo(kNotices, out);
    out += Cat("#0 ", notice, '\n');
  }
}

void PlainLayout::PrintSummary(const Error* error, std::string& out, Clock::time_point now) {
  const std::string summary = Summary(trace_);
  if (summary.empty()) return;
  notices_.push_back(HowLong(error, now - start_));
  for (std::string_view line : Split(summary, '\n')) {
    if (!line.empty()) notices_.emplace_back(line);
  }
  PrintNotices(out);
}

void PlainLayout::PrintEnded(std::string& out, Clock::time_point now) {
  auto middle = std::stable_partition(waiting_.begin(), waiting_.end(), [this](std::size_t node) {
    return trace_.node(node).completed;
  });
  std::vector<std::size_t> ended(waiting_.begin(), middle);
  waiting_.erase(waiting_.begin(), middle);
  // The one on the screen goes first, so that its end stays with it.
  std::stable_partition(ended.begin(), ended.end(),
                        [this](std::size_t node) { return node == current_; });
  for (std::size_t node : ended)
    PrintNode(node, out, now);
}

void PlainLayout::PrintRunning(std::string& out, Clock::time_point now) {
  auto on_screen = std::find(waiting_.begin(), waiting_.end(), current_.value_or(kNotices));
  if (on_screen != waiting_.end()) {
    std::size_t node = *on_screen;
    waiting_.erase(on_screen);
    PrintNode(node, out, now);
  }
  std::size_t held = 0;
  for (std::size_t node : waiting_)
    held += shown_[node].line_bytes;
  std::vector<std::size_t> later;
  for (std::size_t node : std::exchange(waiting_, {})) {
    if (held > kMaxHeldInAll || MayTakeOver(node, now)) {
      PrintNode(node, out, now);
    } else {
      later.push_back(node);
    }
  }
  waiting_ = std::move(later);
}

bool PlainLayout::MayTakeOver(std::size_t node, Clock::time_point now) {
  bool free = !current_ || *current_ == kNotices || trace_.node(*current_).completed;
  if (free || shown_[node].line_bytes > kMaxHeldBytes) return true;
  auto waited = now - shown_[node].waiting_since;
  return waited >= kTurn || (waited >= kSilence && now - current_since_ >= kSilence);
}

void PlainLayout::PrintNode(std::size_t node, std::string& out, Clock::time_point now) {
  const TraceNode& state = trace_.node(node);
  Shown& shown = shown_[node];
  shown.waits = false;
  std::string body;
  const bool first = shown.number == 0;
  if (first) shown.number = ++numbers_;
  PrintStatuses(node, body, now);
  const std::string prefix = Cat('#', shown.number, ' ');
  for (const std::string& warning : std::exchange(shown.warnings, {})) {
    body += Cat(prefix, "WARN: ", warning, '\n');
  }
  for (const std::string& line : std::exchange(shown.lines, {}))
    body += Cat(prefix, line, '\n');
  shown.line_bytes = 0;
  if (state.completed && !std::exchange(shown.ended, true)) {
    body += Cat(prefix, EndText(state), '\n');
  }
  if (body.empty() && !first) return;
  SwitchTo(node, out);
  current_since_ = now;
  out += body;
}

void PlainLayout::PrintStatuses(std::size_t node, std::string& out, Clock::time_point now) {
  const std::vector<TraceStatus>& statuses = trace_.node(node).statuses;
  Shown& shown = shown_[node];
  shown.statuses.resize(statuses.size());
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const TraceStatus& status = statuses[i];
    ShownStatus& before = shown.statuses[i];
    bool grew = status.total > 0 &&
                status.current - before.current >= status.total / kStatusSteps &&
                status.current != before.current;
    bool due = !before.printed || status.done || grew || now - before.when >= kStatusEvery;
    if (before.done || !due) continue;
    before = {true, status.done, status.current, now};
    out += Cat('#', shown.number, ' ', StatusText(status), '\n');
  }
}

std::string PlainLayout::NameOf(std::size_t node) const {
  const std::string& name = trace_.node(node).name;
  if (name_limit_ == 0 || name.size() <= name_limit_) return name;
  std::size_t end = name_limit_;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80)
    --end;
  return Cat(name.substr(0, end), "...");
}

void PlainLayout::SwitchTo(std::size_t node, std::string& out) {
  if (current_ == node) return;
  if (current_ && *current_ != kNotices && !shown_[*current_].ended) {
    out += Cat('#', shown_[*current_].number, " ...\n");
  }
  if (current_) out += '\n';
  current_ = node;
  if (node != kNotices) {
    out += Cat('#', shown_[node].number, ' ', NameOf(node), '\n');
  }
}

}  // namespace depot
