#include "plugin/command/answer_line.h"

#include <cerrno>

#include <poll.h>
#include <unistd.h>

#include "driver/base/fd.h"
#include "driver/base/text.h"

namespace depot::command {
namespace {

constexpr std::size_t kLongestAnswer = 4096;

}  // namespace

Result<std::string> ReadAnswerLine(const Cancel& cancel) {
  std::string line;
  while (line.size() < kLongestAnswer) {
    TRY(WaitForFd(STDIN_FILENO, POLLIN, cancel));
    char byte;
    ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(SystemError("read standard input", errno));
    if (got == 0 && line.empty()) return Fail(ErrorCode::kFailed, "there was no answer");
    if (got == 0 || byte == '\n') break;
    line += byte;
  }
  return std::string(Trim(line));
}

}  // namespace depot::command
