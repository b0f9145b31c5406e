#pragma once

#include <atomic>

#include "plugin/progress/terminal.h"

namespace depot {

/// Standard input and standard output of the process, for the builds that want all of one: the
/// first that asks gets it. Any thread.
class Streams {
 public:
  /// `terminal` must outlive it.
  explicit Streams(const Terminal& terminal) : terminal_(terminal) {}

  /// The descriptor of standard input, not owned; kUsage when another build has it.
  Result<int> TakeInput();

  /// A descriptor of its own for standard output (Terminal::DuplicateOutput()); kUsage when another
  /// build has it.
  Result<Fd> TakeOutput();

  bool output_is_terminal() const { return terminal_.output_is_terminal(); }

 private:
  const Terminal& terminal_;
  std::atomic<bool> input_taken_{false};
  std::atomic<bool> output_taken_{false};
};

}  // namespace depot
