#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "plugin/progress/trace.h"

namespace depot {

/// Output of steps that is held until it is known what becomes of it. Bounded: of a step that says
/// too much the oldest lines go. One thread at a time.
class KeptLines {
 public:
  /// Of one step, and of all.
  static constexpr std::size_t kStepBytes = 1 << 20;
  static constexpr std::size_t kAllBytes = 16 << 20;

  void Add(StepLines step);

  /// What is held of a node, oldest first.
  const std::deque<std::string>& Of(std::size_t node) const;

  /// How many lines of the node went.
  std::size_t Dropped(std::size_t node) const;

  void Forget(std::size_t node);

 private:
  struct Lines {
    std::deque<std::string> lines;
    std::size_t bytes = 0;
    std::size_t dropped = 0;
  };

  void DropFirst(Lines& kept);

  std::vector<Lines> steps_;  ///< by node
  std::size_t bytes_ = 0;
};

}  // namespace depot
