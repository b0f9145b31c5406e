#pragma once

#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "driver/event/event.h"

namespace depot {

/// The events of a build as the lines of `--progress=rawjson`, which other programs read: JSON
/// objects with the lists "vertexes", "statuses", "logs" and "warnings" (BuildKit client/graph.go,
/// SolveStatus, as Go writes it). A notice of ours is a vertex that began and ended at once.
/// Between the build's threads and the display's: never waits, and holds a bounded number of bytes:
/// output that nobody takes in time is left out, and a log in its place says so.
class RawJson {
 public:
  /// Of events that wait to be taken.
  static constexpr std::size_t kMostBytes = 32 << 20;

  /// `most_bytes` of output; twice as many of all.
  explicit RawJson(std::size_t most_bytes = kMostBytes) : most_bytes_(most_bytes) {}

  /// Any thread.
  void Put(Event event);

  /// Waits until there is something, or Close(); false when closed and empty. One reader.
  bool Wait();

  /// What came since the last call, as one line; "" when nothing did. One reader.
  std::string Take();

  /// No more events are kept; wakes the reader.
  void Close();

 private:
  const std::size_t most_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
  std::vector<Event> events_;
  std::size_t cost_ = 0;
  std::map<std::string, std::size_t> dropped_;  ///< pieces of output by vertex
  std::size_t left_out_ = 0;                    ///< events of other kinds
  std::size_t notices_ = 0;
};

}  // namespace depot
