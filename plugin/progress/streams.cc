#include "plugin/progress/streams.h"

#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"

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

Result<> Streams::TakePipe(const std::string& path) {
  if (pipes_.Claim(path)) return {};
  return Fail(Error(ErrorCode::kUsage, Cat("the pipe ", Printable(path), " is wanted twice"))
                  .WithHint("what it gives can be read once: store it in a file"));
}

}  // namespace depot
