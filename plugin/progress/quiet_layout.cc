#include "plugin/progress/quiet_layout.h"

#include "plugin/progress/closing.h"

namespace depot {

Frame QuietLayout::Finish(Clock::time_point /*now*/, ScreenSize /*size*/, const Error* error) {
  Frame frame;
  if (error != nullptr && !silent_) frame.lines = FailedSteps(trace_);
  return frame;
}

}  // namespace depot
