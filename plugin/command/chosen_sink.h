#pragma once

#include "driver/event/no_sink.h"
#include "plugin/command/command.h"
#include "plugin/options/build_options.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {

/// Where a command without a display of its own says what it does: line by line, or nowhere when
/// `--progress` is quiet or none.
class ChosenSink {
 public:
  ChosenSink(options::ProgressMode mode, const Call& call)
      : silent_(mode == options::ProgressMode::kNone || mode == options::ProgressMode::kQuiet),
        lines_(call.terminal, call.cancel) {}

  EventSink& sink() { return silent_ ? static_cast<EventSink&>(none_) : lines_; }

 private:
  const bool silent_;
  LineSink lines_;
  NoSink none_;
};

}  // namespace depot::command
