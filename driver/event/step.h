#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "driver/base/result.h"
#include "driver/event/sink.h"

namespace depot {

Timestamp Now();

/// A slow piece of local work shown like a build step: "connecting to tcp://...", "importing to
/// docker". Starts when made. The owner calls one of Done() or Failed() (or lets the destructor
/// call Done()); the first call counts, and what is still open below the step closes with it. One
/// thread at a time.
class Step {
 public:
  /// `name` is what the user reads; the vertex digest is made up, unique in this process.
  Step(EventSink& sink, std::string name);
  ~Step();
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  /// Shows `id` with a count; total 0 = unknown. Call again with the same id to move it on.
  void Progress(const std::string& id, std::int64_t current, std::int64_t total);
  /// Closes one id; one that was never shown is shown as done.
  void ProgressDone(const std::string& id);
  /// A line of output below the step; the newline at its end is added when missing.
  void Log(std::string text);

  void Done();
  void Failed(const Error& error);

  /// Done() or Failed() by the result, which is passed through.
  template <typename T>
  Result<T> Finish(Result<T> result) {
    if (result) {
      Done();
    } else {
      Failed(result.error());
    }
    return result;
  }

 private:
  void End(std::string error);

  EventSink& sink_;
  Vertex vertex_;
  std::map<std::string, VertexStatus> open_;  ///< by id
  bool ended_ = false;
};

}  // namespace depot
