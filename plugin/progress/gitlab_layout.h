#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin/progress/kept_lines.h"
#include "plugin/progress/layout.h"
#include "plugin/progress/style.h"

namespace depot {

/// The log of a GitLab job: one section for each step that printed something (GitLab, "Custom
/// collapsible sections" of job logs), one after the other although steps run in parallel. A step
/// that takes a while is shown live, in an open section; the others are printed whole when they
/// end, folded unless they failed. What steps print has a budget, since GitLab cuts a job's log off
/// at 4 MiB: the end of a step that failed and the summary always come through.
class GitlabLayout final : public Layout {
 public:
  /// Of steps' output in the log.
  static constexpr std::size_t kBudget = 3 << 20;
  /// Of a step that failed, when the budget is used up.
  static constexpr std::size_t kFailureBudget = 256 << 10;

  /// `start` is when the build began, `unix_start` the same in seconds since 1970;
  /// `expand_warnings`: see WarningSummary().
  GitlabLayout(const Trace& trace,
               Style style,
               bool expand_warnings,
               Clock::time_point start,
               std::int64_t unix_start);

  void Take(TraceNews news, Clock::time_point now) override;
  Frame Draw(Clock::time_point now, ScreenSize size) override;
  Frame Finish(Clock::time_point now, ScreenSize size, const Error* error) override;
  std::optional<Clock::duration> patience() const override;

 private:
  struct Shown {
    std::size_t number = 0;  ///< 0 = not yet printed
    bool running = false;
    bool ended = false;
    std::size_t sections = 0;   ///< begun for it
    std::size_t left_out = 0;   ///< lines, of the present section
    Clock::time_point since{};  ///< of its present run
  };
  enum class Fold { kOpen, kClosed };

  void Move(std::size_t node, Clock::time_point now);
  void ChooseLive(Clock::time_point now);
  void DrawEnded(std::string& out, Clock::time_point now);
  void DrawWhole(std::size_t node, std::string_view how, std::string& out, Clock::time_point now);
  void DrawLive(std::string& out, Clock::time_point now);
  void DrawHeartbeat(std::string& out, Clock::time_point now);
  void DrawLines(std::size_t node, std::string& out);
  void Begin(std::size_t node,
             std::string_view heading,
             Fold fold,
             Elapsed ago,
             std::string& out,
             Clock::time_point now);
  void End(std::size_t node, std::string& out, Clock::time_point now);
  void CloseLive(std::string& out, Clock::time_point now);
  std::string Prefix(std::size_t node);
  std::string Heading(std::size_t node, std::string_view how);
  std::string HowItEnded(std::size_t node) const;
  std::int64_t Unix(Clock::time_point now) const;

  const Trace& trace_;
  const Style style_;
  const bool expand_warnings_;
  const Clock::time_point start_;
  const std::int64_t unix_start_;
  std::vector<Shown> shown_;          ///< by node
  std::vector<std::size_t> running_;  ///< nodes, in the order of their start
  std::vector<std::size_t> ended_;    ///< nodes whose end is not yet drawn
  std::vector<std::string> above_;    ///< other lines not yet drawn
  KeptLines output_;                  ///< not yet drawn
  std::optional<std::size_t> live_;   ///< the node that is shown while it runs
  bool open_ = false;                 ///< its section is
  Clock::time_point last_output_;
  std::size_t numbers_ = 0;
  std::size_t spent_ = 0;  ///< of the budget
};

}  // namespace depot
