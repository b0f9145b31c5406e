#pragma once

#include "driver/base/cancel.h"
#include "driver/event/sink.h"
#include "plugin/progress/terminal.h"

namespace depot {

/// For commands without a display: writes what is said, each as a line, to standard error. Steps of
/// builds are not shown. One thread, as the terminal wants it; both must outlive it.
class LineSink final : public EventSink {
 public:
  LineSink(Terminal& terminal, const Cancel& cancel) : terminal_(terminal), cancel_(cancel) {}

  void Emit(Event event) override;

 private:
  Terminal& terminal_;
  const Cancel& cancel_;
};

}  // namespace depot
