#pragma once

#include <memory>
#include <vector>

#include "driver/builder/builder.h"
#include "driver/event/sink.h"
#include "plugin/choose_builder.h"
#include "plugin/plan/placement.h"

namespace depot {

/// A builder that is held for its share of the build.
struct Held {
  plan::Share share;
  std::unique_ptr<builder::Builder> builder;
  /// Where the events of its solve go; says the platform when others build other platforms.
  EventSink* sink = nullptr;
  std::unique_ptr<EventSink> labelled;  ///< behind `sink`, when that is not the display itself
};

/// Holds every builder that the platforms need, side by side; the first that cannot be had ends it.
/// What is emulated, also by a machine that was said to run it, is said to `sink`, which must
/// outlive the result. Errors as of plan::Place() and Driver::Acquire().
Result<std::vector<Held>> AcquireBuilders(const std::vector<Site>& sites,
                                          const std::vector<Platform>& wanted,
                                          bool emulate,
                                          EventSink& sink,
                                          const Cancel& cancel);

}  // namespace depot
