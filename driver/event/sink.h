#pragma once

#include <string>

#include "driver/event/event.h"

namespace depot {

/// Takes what happens during a build, from any thread. Emit() never waits for a terminal and never
/// fails: what is done with the event is the sink's business.
class EventSink {
 public:
  virtual ~EventSink() = default;

  /// Takes one event over. Events of one thread are seen in its order.
  virtual void Emit(Event event) = 0;

  /// A line of text for the user, outside of any step.
  void Say(std::string text) { Emit(Notice{std::move(text)}); }
};

}  // namespace depot
