#include "plugin/progress/streams.h"

#include <unistd.h>

namespace depot {

Result<int> Streams::TakeInput() {
  if (!input_taken_.exchange(true)) return STDIN_FILENO;
  return Fail(Error(ErrorCode::kUsage, "two builds want standard input: it can be read once")
                  .WithHint("give one of them a file or a directory"));
}

Result<Fd> Streams::TakeOutput() {
  if (!output_taken_.exchange(true)) return terminal_.DuplicateOutput();
  return Fail(Error(ErrorCode::kUsage, "two results are to go to standard output: there is but one")
                  .WithHint("give one of them a file: dest=FILE"));
}

}  // namespace depot
