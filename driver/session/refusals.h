#pragma once

#include <mutex>
#include <set>
#include <string>

#include "driver/event/sink.h"

namespace depot::session {

/// Says what was refused to the builder: each text once, and not without end. Any thread.
class Refusals {
 public:
  explicit Refusals(EventSink& sink) : sink_(sink) {}

  /// `text` may quote the builder: what is not printable is replaced.
  void Say(const std::string& text);

 private:
  EventSink& sink_;
  std::mutex mutex_;
  std::set<std::string> said_;
};

}  // namespace depot::session
