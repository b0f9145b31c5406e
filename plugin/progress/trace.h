#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugin/progress/event_queue.h"

namespace depot {

using Elapsed = std::chrono::nanoseconds;

/// One status line of a step. Texts are safe to show.
struct TraceStatus {
  std::string id;
  std::int64_t current = 0;
  std::int64_t total = 0;            ///< 0 = unknown
  std::optional<Timestamp> started;  ///< by the builder's clock
  Elapsed elapsed{0};                ///< up to its end, or to the builder's latest word
  bool done = false;
};

/// One step as the user sees it: a vertex, or the vertices of one progress group together. All
/// `elapsed` are differences of the builder's own times, so its clock need not agree with ours.
/// Texts are safe to show: no control characters, no credentials in URLs.
struct TraceNode {
  std::string name;
  bool hidden = false;  ///< a group none of whose strong members has started
  bool started = false;
  bool completed = false;
  bool cached = false;
  bool cancelled = false;
  std::string error;   ///< empty = none
  Elapsed elapsed{0};  ///< the time in which it ran, pauses left out
  std::vector<TraceStatus> statuses;
  std::deque<std::string> tail;  ///< the last lines: "0.123 text", seconds since the start

  bool failed() const { return completed && !cancelled && !error.empty(); }
};

/// Whole lines that a step printed: "0.123 text", seconds since the start.
struct StepLines {
  std::size_t node = 0;
  std::vector<std::string> lines;
};

/// A warning of the frontend about what a step does; the same one comes again for each step.
struct StepWarning {
  std::size_t node = 0;
  std::string text;
};

/// What one step of a Trace brought, for whoever shows it: any number of readers get the same.
/// Texts are safe to show.
struct TraceNews {
  std::vector<std::size_t> changed;  ///< nodes, each once, in the order of the news
  std::vector<std::string> notices;
  std::vector<StepLines> lines;
  std::vector<StepWarning> warnings;
};

/// What is known of a build: events in, state and news out. Pure and bounded: what goes beyond the
/// limits of EventQueue is left out, and lines are in the news alone. One thread at a time.
class Trace {
 public:
  static constexpr std::size_t kTailLines = 10;

  /// `colours`: whether log lines keep their colours.
  explicit Trace(bool colours);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  using Clock = std::chrono::steady_clock;

  /// After this time an unfinished line (a prompt, a progress bar) becomes a line as it is.
  static constexpr std::chrono::seconds kOpenLine{2};

  /// What `batch` (which may be empty) and the time bring.
  TraceNews Apply(EventBatch batch, Clock::time_point now);

  /// When no more events will come: the unfinished lines.
  TraceNews End();

  /// Whether some line waits for its end, so that Apply() wants to be called again soon even when
  /// no event comes.
  bool waiting() const { return !open_since_.empty(); }

  std::size_t size() const { return nodes_.size(); }
  const TraceNode& node(std::size_t index) const { return nodes_[index]; }

  /// Each different one once, in order.
  const std::vector<VertexWarning>& warnings() const { return warnings_; }

 private:
  struct Internals;

  void ApplyVertex(const Vertex& vertex);
  void ApplyStatus(const VertexStatus& status);
  void ApplyLog(const std::string& digest, const LogChunk& chunk);
  void ApplyWarning(VertexWarning warning);
  void AddLines(std::size_t index, Timestamp when, std::vector<std::string> lines);
  /// Turns what the step has printed of an unfinished line into a line.
  void EndOpenLine(std::size_t node);
  bool HasOpenLine(std::size_t node) const;
  void EndOldLines();
  TraceNews TakeNews();
  void Refresh(std::size_t index);
  void MarkChanged(std::size_t node);
  std::optional<std::size_t> FindOrAdd(const Vertex& vertex);

  bool colours_;
  std::deque<TraceNode> nodes_;
  std::unique_ptr<Internals> internals_;
  TraceNews news_;  ///< since the last Apply()
  std::vector<VertexWarning> warnings_;
  std::map<std::size_t, Clock::time_point> open_since_;  ///< nodes in the middle of a line
  Clock::time_point now_{};
};

}  // namespace depot
