#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "driver/event/masks.h"
#include "driver/event/sink.h"

namespace depot {

/// Passes events on without secrets in any text of theirs. What a step prints comes in pieces cut
/// anywhere: an end that may be the beginning of a secret waits for the next piece, or the step's
/// end. A step that wants to show a secret can still do so in another form. Any thread.
class MaskingSink final : public EventSink {
 public:
  /// So many unfinished ends are held; more are passed on as they are.
  static constexpr std::size_t kMostWaiting = 10000;

  /// Both must outlive it.
  MaskingSink(EventSink& sink, const Masks& masks) : sink_(sink), masks_(masks) {}

  void Emit(Event event) override;

  /// No more events will come: what waits is passed on.
  void Flush();

 private:
  using Stream = std::pair<std::string, int>;  ///< vertex, number of the stream

  void Pass(Vertex vertex);
  void Pass(VertexStatus status);
  void Pass(VertexLog log);
  void Pass(VertexWarning warning);
  void Pass(Notice notice);

  EventSink& sink_;
  const Masks& masks_;
  std::mutex mutex_;
  std::map<Stream, VertexLog> waiting_;
};

}  // namespace depot
