#pragma once

#include <map>
#include <optional>
#include <string>

#include "plugin/progress/layout.h"
#include "plugin/progress/style.h"

namespace depot {

inline Style Colourless() {
  Style style;
  style.colours = {"", "", "", "", "", ""};
  return style;
}

/// Plays events against a layout; the builder's clock is far off ours.
class EventPlayer {
 public:
  explicit EventPlayer(bool colours) : trace_(colours) {}

  Timestamp At(double seconds) const {
    return Timestamp(std::chrono::hours(24 * 365 * 80)) +
           std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
  }
  EventPlayer& Begin(const std::string& id, double at, const std::string& name = "") {
    Vertex vertex = Make(id, name);
    vertex.started = starts_[id] = At(at);
    queue_.Emit(vertex);
    return *this;
  }
  EventPlayer& End(const std::string& id, double at, const std::string& error = "") {
    Vertex vertex = Make(id, "");
    vertex.started = starts_[id];
    vertex.completed = At(at);
    vertex.error = error;
    queue_.Emit(vertex);
    return *this;
  }
  EventPlayer& Log(const std::string& id, double at, const std::string& text, int stream = 1) {
    queue_.Emit(VertexLog{id, At(at), stream, text});
    return *this;
  }
  EventPlayer& Status(const std::string& id,
                      const std::string& label,
                      std::int64_t current,
                      std::int64_t total,
                      double from,
                      double at,
                      bool done = false) {
    VertexStatus status{label, id, "", current, total, At(at), At(from), {}};
    if (done) status.completed = At(at);
    queue_.Emit(status);
    return *this;
  }
  EventPlayer& Put(Event event) {
    queue_.Emit(std::move(event));
    return *this;
  }
  /// Lets time pass, and `layout` take and draw what came.
  Frame Draw(Layout& layout, ScreenSize size, std::chrono::milliseconds later) {
    now_ += later;
    layout.Take(trace_.Apply(queue_.Take(), now_), now_);
    return layout.Draw(now_, size);
  }
  Frame Finish(Layout& layout, ScreenSize size, const Error* error) {
    layout.Take(trace_.End(), now_);
    return layout.Finish(now_, size, error);
  }

  const Trace& trace() const { return trace_; }
  Trace::Clock::time_point now() const { return now_; }

 private:
  Vertex Make(const std::string& id, const std::string& name) {
    if (!name.empty()) names_[id] = name;
    Vertex vertex;
    vertex.digest = id;
    vertex.name = names_.contains(id) ? names_[id] : id;
    return vertex;
  }

  EventQueue queue_;
  Trace trace_;
  std::map<std::string, std::string> names_;
  std::map<std::string, Timestamp> starts_;
  Trace::Clock::time_point now_{};
};

}  // namespace depot
