#pragma once

#include <string>

#include "driver/event/event.h"

namespace depot {

/// Takes what happens during a build, from any thread. Emit() never waits for a terminal and never
/// fails: what is done with the event is the sink's business.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void Emit(Event event) = 0;

  void Say(std::string text) { Emit(Notice{std::move(text)}); }
};

}  // namespace depot
