#include <cerrno>
#include <exception>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/environment.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "pool/commands.h"

// The program: argv in, exit code out. Exit codes: 0 done; 1 it failed; 2 the command line is
// wrong.

namespace depot {
namespace {

/// Whole lines, in one piece where the system can: several threads write.
void WriteTo(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EAGAIN) {
      pollfd wait{fd, POLLOUT, 0};
      ::poll(&wait, 1, -1);
    } else if (written < 0 && errno != EINTR) {
      return;
    } else if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }
}

/// Of the terminal that standard output goes to; 0 = it goes to none, or nobody knows.
std::size_t TerminalColumns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

Result<Output> Run(const std::vector<std::string>& argv) {
  Invocation invocation;
  invocation.environment = TakeEnvironment();
  std::string configured = Variable(invocation.environment, "DEPOT_POOL_CONFIG");
  TRY_ASSIGN(CommandLine line,
             ParseCommandLine(argv, configured.empty() ? "/etc/depot-pool/pool.yaml" : configured));
  invocation.settings_file = std::move(line.settings_file);
  invocation.out = [](const std::string& text) { WriteTo(STDOUT_FILENO, text); };
  invocation.err = [](const std::string& text) { WriteTo(STDERR_FILENO, text); };
  invocation.columns = TerminalColumns();
  return line.command(invocation);
}

int ShowError(const Error& error) {
  std::string text = Cat("depot-pool: ", error.message(), '\n');
  if (!error.hint().empty()) text += Cat("hint: ", error.hint(), '\n');
  WriteTo(STDERR_FILENO, text);
  return error.code() == ErrorCode::kUsage ? 2 : 1;
}

}  // namespace

}  // namespace depot

int main(int argc, char** argv) {
  // What the pool keeps is nobody else's business.
  ::umask(0077);
  try {
    depot::Result<depot::Output> output = depot::Run({argv, argv + argc});
    if (!output) return depot::ShowError(output.error());
    depot::WriteTo(STDERR_FILENO, output->err);
    depot::WriteTo(STDOUT_FILENO, output->out);
    return 0;
  } catch (const std::exception& defect) {
    return depot::ShowError(
        {depot::ErrorCode::kInternal, depot::Cat("internal error: ", defect.what())});
  }
}
