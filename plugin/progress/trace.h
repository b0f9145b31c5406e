#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
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
  std::int64_t total = 0;  ///< 0 = unknown
  Elapsed elapsed{0};      ///< up to its end, or to the builder's latest word
  bool done = false;
};

/// One step as the user sees it: a vertex, or the vertices of one progress group together. All
/// times are differences of the builder's own times, so its clock need not agree with ours. Texts
/// are safe to show: no control characters, no credentials in URLs.
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
  std::vector<std::string> warnings;  ///< not yet shown
  std::vector<std::string> lines;     ///< not yet shown; "0.123 text", seconds since the start
  std::size_t line_bytes = 0;         ///< of `lines`
  std::deque<std::string> tail;       ///< the last lines, shown or not

  bool failed() const { return completed && !cancelled && !error.empty(); }
};

/// What is known of a build: events in, state out. Pure and bounded: what goes beyond the limits of
/// EventQueue is left out. One thread at a time.
class Trace {
 public:
  static constexpr std::size_t kTailLines = 10;

  /// `colours`: whether log lines keep their colours.
  explicit Trace(bool colours);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  void Apply(EventBatch batch);

  /// Turns what a step has printed of an unfinished line into a line, for steps that stopped in the
  /// middle of one.
  void EndOpenLine(std::size_t node);
  bool HasOpenLine(std::size_t node) const;

  std::size_t size() const { return nodes_.size(); }
  /// The display takes lines and warnings from it, and drops statuses that it no longer needs.
  TraceNode& node(std::size_t index) { return nodes_[index]; }

  /// Nodes with news since the last call, each once, in the order of the news.
  std::vector<std::size_t> TakeChanged();
  /// Notices since the last call.
  std::vector<std::string> TakeNotices();

  /// Each different one once, in order.
  const std::vector<VertexWarning>& warnings() const { return warnings_; }

 private:
  struct Internals;

  void ApplyVertex(const Vertex& vertex);
  void ApplyStatus(const VertexStatus& status);
  void ApplyLog(const std::string& digest, const LogChunk& chunk);
  void ApplyWarning(VertexWarning warning);
  void AddLines(std::size_t index, Timestamp when, std::vector<std::string> lines);
  void Refresh(std::size_t index);
  void MarkChanged(std::size_t node);
  std::optional<std::size_t> FindOrAdd(const Vertex& vertex);

  bool colours_;
  std::deque<TraceNode> nodes_;
  std::unique_ptr<Internals> internals_;
  std::vector<std::size_t> changed_;
  std::vector<std::string> notices_;
  std::vector<VertexWarning> warnings_;
};

}  // namespace depot
