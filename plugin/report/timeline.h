#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "driver/event/event.h"
#include "plugin/progress/log_filter.h"

namespace depot::report {

/// A step of a Timeline. Texts are as the builder sent them: not safe to show.
struct TimelineStep {
  std::string name;
  /// When it ran, each once, by our clock; the last one may lack its end.
  struct Run {
    Timestamp start{};
    Timestamp end{};
  };
  std::vector<Run> runs;
  bool cached = false;
  std::string error;
  std::map<std::string, std::int64_t> bytes;  ///< moved, by what
  std::deque<std::string> tail;               ///< the last lines it printed; safe to show
};

/// What happened when in a build, as one web page for people. Bounded: what is more than the limits
/// is left out, and the page says so. One thread at a time.
class Timeline {
 public:
  static constexpr std::size_t kMostSteps = 5000;
  static constexpr std::size_t kTailLines = 20;
  static constexpr std::size_t kLineBytes = 400;

  /// `now` is when it came, by our clock: the clocks of builders may be wrong, and several differ.
  void Take(const Event& event, Timestamp now);

  /// The page: HTML that needs nothing else, loads nothing and runs nothing. A step has a bar for
  /// each time that it ran, a row of its own, below the platform it is for. `title` is for people;
  /// `error` empty = it succeeded; `now` is the end.
  std::string Page(const std::string& title, const std::string& error, Timestamp now) const;

 private:
  struct Kept {
    TimelineStep step;
    std::map<int, LogFilter> filters;  ///< by stream
  };

  void TakeVertex(const Vertex& vertex, Timestamp now);
  void TakeLog(const VertexLog& log);
  Timestamp OurTime(const std::string& digest, Timestamp theirs, Timestamp now);

  std::map<std::string, Kept> steps_;                       ///< by digest
  std::vector<std::string> order_;                          ///< digests
  std::map<std::string, std::chrono::nanoseconds> clocks_;  ///< what to add, by builder
  std::size_t left_out_ = 0;
};

}  // namespace depot::report
