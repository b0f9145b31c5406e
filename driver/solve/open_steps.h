#pragma once

#include <map>
#include <mutex>
#include <string>

#include "driver/base/cancel.h"
#include "driver/event/sink.h"

namespace depot::solve {

/// Passes events on, and knows which steps have begun and not ended. Any thread.
class OpenSteps final : public EventSink {
 public:
  /// `sink` must outlive it.
  explicit OpenSteps(EventSink& sink) : sink_(sink) {}

  void Emit(Event event) override;

  /// Nobody will say any more how they ended: they are shown as cancelled.
  void CancelAll();

  /// Whether a step that works on the results of others (RUN, COPY) has been seen running for
  /// `time`, while nothing is loaded from this machine.
  bool RunsFor(Cancel::Clock::duration time) const;

 private:
  struct Open {
    Vertex vertex;
    Cancel::Clock::time_point since;
  };

  void Note(const Vertex& vertex);

  EventSink& sink_;
  mutable std::mutex mutex_;
  std::map<std::string, Open> open_;  ///< by digest
};

}  // namespace depot::solve
