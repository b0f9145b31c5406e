#include "plugin/progress/terminal.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace depot {
namespace {

/// Whether `fd` is open; a closed one is filled with /dev/null.
bool OpenOrFill(int fd) {
  if (::fcntl(fd, F_GETFD) >= 0) return true;
  int null = ::open("/dev/null", O_RDWR);
  if (null >= 0 && null != fd) {
    ::dup2(null, fd);
    ::close(null);
  }
  return false;
}

/// The next piece to write: whole lines up to `most` bytes where possible. A pipe takes PIPE_BUF in
/// one go once poll() said that it has room, even when it is a blocking one.
std::string_view NextWrite(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t newline = text.rfind('\n', most - 1);
  return text.substr(0, newline == std::string_view::npos ? most : newline + 1);
}

Result<> WriteAll(int fd, std::string_view text, const Cancel& cancel) {
  struct stat facts {};
  bool regular = ::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
  // What a terminal shows is best seen whole.
  constexpr std::size_t kFrame = 64 << 10;
  const std::size_t most = ::isatty(fd) == 1 ? kFrame : PIPE_BUF;
  while (!text.empty()) {
    if (!regular) TRY(WaitForFd(fd, POLLOUT, cancel));
    std::string_view piece = regular ? text : NextWrite(text, most);
    ssize_t written = ::write(fd, piece.data(), piece.size());
    if (written < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return Fail(SystemError("write", errno));
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Terminal::Terminal() {
  std::signal(SIGPIPE, SIG_IGN);
  // Inherited as ignored from some parents; then the exit codes of our children would be lost.
  std::signal(SIGCHLD, SIG_DFL);
  OpenOrFill(STDIN_FILENO);
  output_open_ = OpenOrFill(STDOUT_FILENO);
  error_gone_ = !OpenOrFill(STDERR_FILENO);
  output_is_terminal_ = ::isatty(STDOUT_FILENO) == 1;
  error_is_terminal_ = ::isatty(STDERR_FILENO) == 1;
}

void Terminal::WriteError(std::string_view text, const Cancel& cancel) {
  if (error_gone_ || text.empty()) return;
  if (!WriteAll(STDERR_FILENO, text, cancel)) error_gone_ = true;
}

ScreenSize Terminal::size() const {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return {};
  }
  return {size.ws_col, size.ws_row};
}

Result<> Terminal::CheckResult() const {
  int flags = ::fcntl(STDOUT_FILENO, F_GETFL);
  if (output_open_ && flags >= 0 && (flags & O_ACCMODE) != O_RDONLY) return {};
  return Fail(Error(ErrorCode::kInvalid, "standard output is not open for writing")
                  .WithHint("the result of this build is written there: give it a file or a pipe"));
}

Result<> Terminal::WriteResult(std::string_view text, const Cancel& cancel) {
  TRY(CheckResult());
  Result<> written = WriteAll(STDOUT_FILENO, text, cancel);
  if (!written) return Fail(std::move(written).error().While("writing to standard output"));
  return {};
}

Result<Fd> Terminal::DuplicateOutput() const {
  TRY(CheckResult());
  Fd copy(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  if (!copy.valid()) return Fail(SystemError("standard output", errno));
  return copy;
}

}  // namespace depot
