#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "driver/event/sink.h"

namespace depot {

/// A piece of one step's output, or the place where some was left out.
struct LogChunk {
  Timestamp timestamp{};
  int stream = 1;
  std::string data;
  std::size_t dropped_lines = 0;  ///< not 0: this many lines are missing here, and data is empty
};

/// What happened since the last Take(), in the order in which it may be applied: a step's end never
/// comes before the last of its logs. Vertices come without `inputs`.
struct EventBatch {
  std::vector<std::string> notices;
  std::vector<Vertex> vertices;
  std::vector<VertexStatus> statuses;
  std::vector<std::pair<std::string, LogChunk>> logs;  ///< by vertex digest
  std::vector<VertexWarning> warnings;
  std::vector<Vertex> ends;  ///< the same as `vertices`, to be applied after all others
  bool overflow = false;     ///< some steps, statuses, warnings or notices were too many to keep
};

/// Between the build's threads and the display's: never waits for a terminal, and holds a bounded
/// number of bytes whatever the builder sends. Repeated news of one vertex or status replace each
/// other. When logs come faster than they are shown, the oldest lines of the loudest vertices go,
/// and a chunk says how many. When steps do, new ones go, but the ends of those that were taken
/// stay, in short: nothing that is shown as running has ended unseen.
class EventQueue : public EventSink {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr std::size_t kMaxLogBytes = 12 << 20;
  static constexpr std::size_t kMaxKeyedBytes = 8 << 20;  ///< vertices; statuses, open ones too
  static constexpr std::size_t kSliceBytes = 1 << 20;     ///< of logs, in one Take()
  static constexpr std::size_t kMaxTexts = 1000;          ///< warnings; notices the same

  /// Any thread.
  void Emit(Event event) override;

  /// Waits until there is something to show, what comes with it has come too, and `not_before` has
  /// passed (a full slice and Close() do not wait for that), or until `at_latest`. False when
  /// closed and empty. One reader.
  bool Wait(Clock::time_point not_before, std::optional<Clock::time_point> at_latest);

  /// What is there, with at most about kSliceBytes of logs. One reader.
  EventBatch Take();

  /// No more events are kept; wakes the reader.
  void Close();

 private:
  struct Logs {
    std::deque<LogChunk> chunks;
    std::size_t cost = 0;
    std::size_t dropped_lines = 0;
  };

  void Put(Vertex&& vertex);
  bool KeepEnd(Vertex& vertex);
  void TakeKeptEnds(EventBatch& batch);
  void RememberOpen(const EventBatch& batch);
  void Put(VertexStatus&& status);
  void Put(VertexLog&& log);
  void Put(VertexWarning&& warning);
  void Put(Notice&& notice);
  void DropOldest();
  void TakeLogs(EventBatch& batch);
  std::size_t TakeLogsOf(const std::string& digest,
                         Logs& logs,
                         std::size_t most,
                         EventBatch& batch);
  bool empty() const;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  bool overflow_ = false;
  std::vector<Vertex> vertices_;  ///< in order of arrival; at most one per digest and start
  std::map<std::string, std::size_t> vertex_index_;
  std::size_t vertex_cost_ = 0;
  std::set<std::string> open_;  ///< digests that were taken without an end
  std::size_t open_cost_ = 0;
  std::map<std::string, Vertex> kept_ends_;  ///< of open ones, for which vertices_ had no room
  std::vector<VertexStatus> statuses_;
  std::map<std::pair<std::string, std::string>, std::size_t> status_index_;
  std::size_t status_cost_ = 0;
  std::map<std::string, Logs> logs_;
  std::string next_logs_;  ///< the digest whose turn it is
  std::size_t log_cost_ = 0;
  std::vector<VertexWarning> warnings_;
  std::size_t warning_cost_ = 0;
  std::vector<std::string> notices_;
};

}  // namespace depot
