#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "driver/event/sink.h"

namespace depot::solve {

/// Passes events on, and remembers of the steps that fail what they are called, since the builder's
/// error names them by digest, and what they said last. Any thread.
class StepNames final : public EventSink {
 public:
  /// So many of them; a build has one step that fails and some that are cancelled with it.
  static constexpr std::size_t kMost = 100;

  /// `sink` must outlive it.
  explicit StepNames(EventSink& sink) : sink_(sink) {}

  void Emit(Event event) override;

  /// The name of the step with this digest; of the one step that failed when `digest` is none of
  /// them, or ""; "" when that is not known. Safe to show.
  std::string FailedStep(std::string_view digest) const;

  /// The end of the output of the same step, as it came; "" when there is none.
  std::string LastWords(std::string_view digest) const;

 private:
  /// By digest.
  using Texts = std::map<std::string, std::string, std::less<>>;

  static constexpr std::size_t kWords = 1000;  ///< bytes kept of one step's output

  void Keep(const VertexLog& log);
  void Keep(const Vertex& vertex);
  Texts::const_iterator Find(std::string_view digest) const;

  EventSink& sink_;
  mutable std::mutex mutex_;
  Texts failed_;  ///< names
  Texts words_;   ///< of steps that have not ended well
};

}  // namespace depot::solve
