#pragma once

#include "driver/event/sink.h"

namespace depot {

/// For what nobody wants to hear of. Any thread.
class NoSink final : public EventSink {
 public:
  void Emit(Event /*event*/) override {}
};

}  // namespace depot
