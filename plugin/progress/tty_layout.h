#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plugin/progress/kept_lines.h"
#include "plugin/progress/layout.h"
#include "plugin/progress/style.h"

namespace depot {

/// A build on a terminal: steps that ended scroll up, one line each; below them a header with the
/// time, how many steps are done, and the builder; then the running steps with their time, the
/// bytes they moved, and their last lines of output, as many as fit. At the end the whole output of
/// the steps that failed, as far as it was kept.
class TtyLayout final : public Layout {
 public:
  /// `title` names the builder; `start` is when the build began; `expand_warnings`: see
  /// WarningSummary().
  TtyLayout(const Trace& trace,
            Style style,
            std::string title,
            bool expand_warnings,
            Clock::time_point start);

  void Take(TraceNews news, Clock::time_point now) override;
  Frame Draw(Clock::time_point now, ScreenSize size) override;
  Frame Finish(Clock::time_point now, ScreenSize size, const Error* error) override;
  std::optional<Clock::duration> patience() const override { return style_.tick; }

 private:
  /// How fast a status moves.
  struct Pace {
    std::int64_t current = 0;
    Clock::time_point when{};
    double per_second = 0;
  };
  struct Shown {
    bool counted = false;
    bool running = false;
    bool ended = false;
    Clock::time_point since{};  ///< of the present run
    Elapsed before{0};          ///< of earlier runs
    std::vector<Pace> paces;    ///< by status
  };
  /// How many rows a running step gets below its own.
  struct Room {
    std::size_t statuses = 0;
    std::size_t lines = 0;
  };

  void Move(std::size_t node, Clock::time_point now);
  void Follow(std::size_t node, Clock::time_point now);
  void DrawEnded(std::string& out, std::size_t columns);
  std::string EndedLine(std::size_t node, std::size_t columns) const;
  std::string Header(Clock::time_point now, std::size_t columns, std::string_view state) const;
  std::vector<Room> Share(std::size_t steps, std::size_t rows) const;
  void DrawStep(std::size_t node,
                Room room,
                Clock::time_point now,
                std::size_t columns,
                std::vector<std::string>& live) const;
  std::string RunningTime(std::size_t node, Clock::time_point now) const;
  std::string StatusLine(const TraceStatus& status,
                         const Pace& pace,
                         Clock::time_point now,
                         std::size_t columns) const;
  std::string FailedOutput() const;

  const Trace& trace_;
  const Style style_;
  const std::string title_;
  const bool expand_warnings_;
  const Clock::time_point start_;
  std::vector<Shown> shown_;          ///< by node
  std::vector<std::size_t> running_;  ///< nodes, in the order of their start
  std::vector<std::size_t> ended_;    ///< nodes whose end is not yet drawn
  std::vector<std::string> above_;    ///< other lines not yet drawn
  std::size_t total_ = 0;
  std::size_t done_ = 0;
  KeptLines output_;  ///< of running and failed steps
};

}  // namespace depot
