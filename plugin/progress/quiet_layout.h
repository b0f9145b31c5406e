#pragma once

#include "plugin/progress/layout.h"

namespace depot {

/// Nothing while a build runs; at its end the last lines of the steps that failed, unless `silent`.
class QuietLayout final : public Layout {
 public:
  explicit QuietLayout(const Trace& trace, bool silent) : trace_(trace), silent_(silent) {}

  void Take(TraceNews /*news*/, Clock::time_point /*now*/) override {}
  Frame Draw(Clock::time_point /*now*/, ScreenSize /*size*/) override { return {}; }
  Frame Finish(Clock::time_point now, ScreenSize size, const Error* error) override;
  std::optional<Clock::duration> patience() const override { return std::nullopt; }

 private:
  const Trace& trace_;
  const bool silent_;
};

}  // namespace depot
