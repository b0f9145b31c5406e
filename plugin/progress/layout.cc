#include "plugin/progress/layout.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/event/excerpt.h"

namespace depot {
namespace {

using namespace std::chrono_literals;

/// How long a running step waits for its turn while another one keeps printing.
constexpr auto kTurn = 5s;
/// How long it waits when the one on the screen says nothing.
constexpr auto kSilence = 1s;
constexpr auto kStatusEvery = 5s;
/// After this time an unfinished line (a prompt, a progress bar) is shown as it is.
constexpr auto kOpenLine = 5s;
constexpr std::int64_t kStatusSteps = 20;
constexpr std::size_t kMaxHeldBytes = 512 << 10;
constexpr std::size_t kMaxHeldInAll = 4 << 20;
constexpr std::string_view kRule = "------\n";

std::string Decimal(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string Bytes(std::int64_t count) {
  constexpr std::array<std::string_view, 6> kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  if (count < 1000) return Cat(count, 'B');
  double value = static_cast<double>(count) / 1000;
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return Cat(Decimal(value, 2), kUnits[unit]);
}

std::string Tenths(Elapsed elapsed) {
  return Cat(Decimal(std::chrono::duration<double>(elapsed).count(), 1), 's');
}

std::string StatusText(const TraceStatus& status) {
  std::string text = status.id;
  if (status.total > 0) {
    text += Cat(' ', Bytes(status.current), " / ", Bytes(status.total));
  } else if (status.current > 0) {
    text += Cat(' ', Bytes(status.current));
  }
  if (status.elapsed > 10ms) text += Cat(' ', Tenths(status.elapsed));
  if (status.done) text += " done";
  return text;
}

std::string EndText(const TraceNode& node) {
  if (node.cancelled) return "CANCELED";
  if (!node.error.empty()) return Cat("ERROR: ", node.error);
  if (node.cached) return "CACHED";
  return Cat("DONE ", Tenths(node.elapsed));
}

std::string Safe(std::string_view text) {
  return Printable(RedactUrls(text));
}

}  // namespace

std::string PlainLayout::Update(Clock::time_point now) {
  std::string out;
  Collect(now);
  PrintNotices(out);
  PrintEnded(out, now);
  PrintRunning(out, now);
  return out;
}

std::string PlainLayout::Finish(Clock::time_point now) {
  std::string out;
  for (std::size_t node : std::exchange(open_lines_, {}))
    trace_.EndOpenLine(node);
  Collect(now);
  open_lines_.clear();
  PrintNotices(out);
  PrintEnded(out, now);
  for (std::size_t node : std::exchange(waiting_, {}))
    PrintNode(node, out, now);
  return out;
}

void PlainLayout::Collect(Clock::time_point now) {
  for (auto entry = open_lines_.begin(); entry != open_lines_.end();) {
    std::size_t node = *entry++;
    if (now - shown_[node].open_since < kOpenLine) continue;
    trace_.EndOpenLine(node);
    open_lines_.erase(node);
  }
  shown_.resize(trace_.size());
  for (std::size_t node : trace_.TakeChanged()) {
    Shown& shown = shown_[node];
    const TraceNode& state = trace_.node(node);
    if (!trace_.HasOpenLine(node)) {
      open_lines_.erase(node);
    } else if (open_lines_.insert(node).second || !state.lines.empty()) {
      shown.open_since = now;
    }
    if (!state.completed) shown.ended = false;
    if (state.hidden || !state.started) continue;
    if (std::exchange(shown.waits, true)) continue;
    shown.waiting_since = now;
    waiting_.push_back(node);
  }
}

void PlainLayout::PrintNotices(std::string& out) {
  for (const std::string& notice : trace_.TakeNotices()) {
    SwitchTo(kNotices, out);
    out += Cat("#0 ", notice, '\n');
  }
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
    held += trace_.node(node).line_bytes;
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
  if (free || trace_.node(node).line_bytes > kMaxHeldBytes) return true;
  auto waited = now - shown_[node].waiting_since;
  return waited >= kTurn || (waited >= kSilence && now - current_since_ >= kSilence);
}

void PlainLayout::PrintNode(std::size_t node, std::string& out, Clock::time_point now) {
  TraceNode& state = trace_.node(node);
  Shown& shown = shown_[node];
  shown.waits = false;
  std::string body;
  const bool first = shown.number == 0;
  if (first) shown.number = ++numbers_;
  PrintStatuses(node, body, now);
  const std::string prefix = Cat('#', shown.number, ' ');
  for (const std::string& warning : std::exchange(state.warnings, {})) {
    body += Cat(prefix, "WARN: ", warning, '\n');
  }
  for (const std::string& line : std::exchange(state.lines, {}))
    body += Cat(prefix, line, '\n');
  state.line_bytes = 0;
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

void PlainLayout::SwitchTo(std::size_t node, std::string& out) {
  if (current_ == node) return;
  if (current_ && *current_ != kNotices && !shown_[*current_].ended) {
    out += Cat('#', shown_[*current_].number, " ...\n");
  }
  if (current_) out += '\n';
  current_ = node;
  if (node != kNotices) out += Cat('#', shown_[node].number, ' ', trace_.node(node).name, '\n');
}

std::string FailedSteps(Trace& trace) {
  std::string out;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const TraceNode& node = trace.node(i);
    if (!node.failed()) continue;
    out += Cat(kRule, " > ", node.name, ":\n");
    for (const std::string& line : node.tail)
      out += Cat(line, '\n');
    out += kRule;
  }
  return out;
}

std::string WarningSummary(const Trace& trace, bool expand) {
  const std::vector<VertexWarning>& warnings = trace.warnings();
  if (warnings.empty()) return "";
  std::string out = Cat("\n ", warnings.size(), warnings.size() == 1 ? " warning" : " warnings",
                        " found", expand ? "" : " (use docker --debug to expand)", ":\n");
  for (const VertexWarning& warning : warnings) {
    out += Cat(" - ", Safe(warning.short_text), '\n');
    if (!expand) continue;
    for (const std::string& line : warning.detail)
      out += Cat(Safe(line), '\n');
    if (!warning.url.empty()) out += Cat("More info: ", Safe(warning.url), '\n');
    out += SourceExcerpt(warning.filename, warning.source, warning.ranges);
    out += '\n';
  }
  return out;
}

}  // namespace depot
