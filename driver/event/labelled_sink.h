#pragma once

#include <memory>
#include <string>

#include "driver/event/sink.h"

namespace depot {

/// Passes events of one of several solves on to `sink`, so that they can be told apart there: the
/// digests of vertices become unique to this solve, and names say `label` ("linux/arm64"): "[2/5]
/// RUN" is "[linux/arm64 2/5] RUN", "exporting to image" is "[linux/arm64] exporting to image". A
/// name that says it already, or one of several platforms in `label` ("linux/amd64, linux/386"), as
/// those of BuildKit's own multi-platform solves do, stays. Notices pass unchanged. `sink` must
/// outlive it.
std::unique_ptr<EventSink> MakeLabelledSink(EventSink& sink, std::string label);

}  // namespace depot
