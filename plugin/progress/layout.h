#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "plugin/progress/trace.h"

namespace depot {

/// Draws a Trace as the lines of `--progress=plain` (BuildKit util/progress/progressui/printer.go
/// is what its users know): each step has a number, what belongs to a step stays together, and
/// while several run the one being shown keeps the screen until it ends, falls silent or has had it
/// for long enough. Pure: it turns state and time into text. One thread at a time.
class PlainLayout {
 public:
  using Clock = std::chrono::steady_clock;

  /// `trace` outlives the layout, which takes its news.
  explicit PlainLayout(Trace& trace) : trace_(trace) {}

  /// The lines to print now; often empty. Each ends in a newline.
  std::string Update(Clock::time_point now);

  /// The lines that were held back, when no more events will come.
  std::string Finish(Clock::time_point now);

  /// Whether something waits for its time, so that Update() wants to be called again soon even when
  /// no event comes.
  bool waiting() const { return !waiting_.empty() || !open_lines_.empty(); }

 private:
  static constexpr std::size_t kNotices = static_cast<std::size_t>(-1);

  struct ShownStatus {
    bool printed = false;
    bool done = false;
    std::int64_t current = 0;
    Clock::time_point when{};
  };
  struct Shown {
    std::size_t number = 0;  ///< 0 = not yet printed
    bool ended = false;      ///< its end was printed
    bool waits = false;      ///< it is in waiting_
    Clock::time_point waiting_since{};
    Clock::time_point open_since{};
    std::vector<ShownStatus> statuses;
  };

  void Collect(Clock::time_point now);
  void PrintNotices(std::string& out);
  void PrintEnded(std::string& out, Clock::time_point now);
  void PrintRunning(std::string& out, Clock::time_point now);
  bool MayTakeOver(std::size_t node, Clock::time_point now);
  void PrintNode(std::size_t node, std::string& out, Clock::time_point now);
  void PrintStatuses(std::size_t node, std::string& out, Clock::time_point now);
  void SwitchTo(std::size_t node, std::string& out);

  Trace& trace_;
  std::vector<Shown> shown_;            ///< by node
  std::vector<std::size_t> waiting_;    ///< nodes with news to print, oldest first
  std::set<std::size_t> open_lines_;    ///< nodes in the middle of a line
  std::optional<std::size_t> current_;  ///< the node printed last, or kNotices
  Clock::time_point current_since_{};
  std::size_t numbers_ = 0;
};

/// The last lines of each step that failed, between rules; empty when none did.
std::string FailedSteps(Trace& trace);

/// The list of the warnings at the end of a build; empty when there were none. `expand` adds
/// details, where to read more, and the lines of the Dockerfile.
std::string WarningSummary(const Trace& trace, bool expand);

}  // namespace depot
