#pragma once

#include <atomic>
#include <string>

#include "driver/disk/pipe_claims.h"
#include "plugin/progress/terminal.h"

namespace depot {

/// Standard input, standard output and the pipes of the process, for the builds that want all of
/// one: the first that asks gets it. Any thread.
class Streams {
 public:
  /// `terminal` must outlive it.
  explicit Streams(const Terminal& terminal) : terminal_(terminal) {}

  /// The descriptor of standard input, not owned; kUsage when another build has it.
  Result<int> TakeInput();

  /// A descriptor of its own for standard output (Terminal::DuplicateOutput()); kUsage when another
  /// build has it.
  Result<Fd> TakeOutput();

  /// A pipe or socket at `path` is for one use, since it gives its content once: kUsage when it is
  /// taken. Whatever else is there is for all.
  Result<> TakePipe(const std::string& path);

  bool output_is_terminal() const { return terminal_.output_is_terminal(); }

 private:
  const Terminal& terminal_;
  std::atomic<bool> input_taken_{false};
  std::atomic<bool> output_taken_{false};
  disk::PipeClaims pipes_;
};

}  // namespace depot
