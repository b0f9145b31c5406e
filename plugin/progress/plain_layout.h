#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin/progress/layout.h"

namespace depot {

/// A build as the lines of `--progress=plain` (BuildKit util/progress/progressui/printer.go is what
/// its users know): each step has a number, what belongs to a step stays together, and while
/// several run the one being shown keeps the screen until it ends, falls silent or has had it for
/// two seconds. At the end the summary, as notices: who reads the lines of steps knows those.
class PlainLayout final : public Layout {
 public:
  /// `start` is when the build began; `expand_warnings`: see WarningSummary(); `name_limit`: names
  /// of steps are cut to so many bytes, 0 = never.
  PlainLayout(const Trace& trace,
              Clock::time_point start,
              bool expand_warnings = false,
              std::size_t name_limit = 0)
      : trace_(trace), start_(start), expand_warnings_(expand_warnings), name_limit_(name_limit) {}

  void Take(TraceNews news, Clock::time_point now) override;
  Frame Draw(Clock::time_point now, ScreenSize size) override;
  Frame Finish(Clock::time_point now, ScreenSize size, const Error* error) override;
  std::optional<Clock::duration> patience() const override;

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
    std::vector<ShownStatus> statuses;
    std::vector<std::string> warnings;  ///< not yet printed
    std::vector<std::string> lines;     ///< not yet printed
    std::size_t line_bytes = 0;         ///< of `lines`
  };

  std::string NameOf(std::size_t node) const;
  void PrintNotices(std::string& out);
  void PrintEnded(std::string& out, Clock::time_point now);
  void PrintRunning(std::string& out, Clock::time_point now);
  bool MayTakeOver(std::size_t node, Clock::time_point now);
  void PrintNode(std::size_t node, std::string& out, Clock::time_point now);
  void PrintStatuses(std::size_t node, std::string& out, Clock::time_point now);
  void SwitchTo(std::size_t node, std::string& out);
  void PrintSummary(const Error* error, std::string& out, Clock::time_point now);

  const Trace& trace_;
  const Clock::time_point start_;
  const bool expand_warnings_;
  const std::size_t name_limit_;
  std::vector<std::string> notices_;    ///< not yet printed
  std::vector<Shown> shown_;            ///< by node
  std::vector<std::size_t> waiting_;    ///< nodes with news to print, oldest first
  std::optional<std::size_t> current_;  ///< the node printed last, or kNotices
  Clock::time_point current_since_{};
  std::size_t numbers_ = 0;
};

}  // namespace depot
