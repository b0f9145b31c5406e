#pragma once

#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "driver/event/sink.h"

namespace depot::session {

/// Keeps what was said.
class RecordingSink final : public EventSink {
 public:
  void Emit(Event event) override {
    std::lock_guard lock(mutex_);
    if (auto* notice = std::get_if<Notice>(&event)) notices_.push_back(notice->text);
    if (auto* log = std::get_if<VertexLog>(&event)) logs_.push_back(log->data);
    if (auto* vertex = std::get_if<Vertex>(&event); vertex && !vertex->completed) {
      steps_.push_back(vertex->name);
    }
  }

  std::vector<std::string> notices() {
    std::lock_guard lock(mutex_);
    return notices_;
  }
  /// What the steps said.
  std::vector<std::string> logs() {
    std::lock_guard lock(mutex_);
    return logs_;
  }
  /// Names of the steps that were started.
  std::vector<std::string> steps() {
    std::lock_guard lock(mutex_);
    return steps_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> notices_;
  std::vector<std::string> logs_;
  std::vector<std::string> steps_;
};

}  // namespace depot::session
