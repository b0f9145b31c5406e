#include <cerrno>
#include <exception>
#include <map>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pool/commands.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"

// The program: argv in, exit code out. Exit codes: 0 done; 1 it failed; 2 the command line is
// wrong.

extern char** environ;

namespace depot {
namespace {

constexpr std::string_view kHelp =
    R"(Usage: depot-pool COMMAND [--config FILE]

The Depot API on machines of your own: it checks tokens and gives builds to BuildKit builders.

Commands:
  serve                                                   run the pool until SIGTERM
  token create --project P | --user U [--expires 30d]     make a token; it is shown once
  token list
  token revoke ID
  login approve CODE --user U [--expires 90d]             approve a `docker depot login`
  builds list [--project P] [--limit N]
  builds cancel ID
  ca show                                                 the CA that builders have to trust
  ca server-certificate NAME... --out DIR                 a certificate for a pool or a builder
  version

The `ca` commands take --state DIR instead of --config FILE: there may be no settings yet.
FILE is DEPOT_POOL_CONFIG, or /etc/depot-pool/pool.yaml. `serve` writes an audit line in JSON for
each decision to standard output, and what people want to know to standard error.
)";

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

std::map<std::string, std::string> TakeEnvironment() {
  std::map<std::string, std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string_view text(*entry);
    std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return environment;
}

Result<Output> RunCommand(const std::string& command, const Invocation& invocation) {
  if (command == "serve") {
    return RunServe(
        invocation, [](const std::string& line) { WriteTo(STDOUT_FILENO, line); },
        [](const std::string& line) { WriteTo(STDERR_FILENO, line); });
  }
  if (command == "token") return RunToken(invocation);
  if (command == "login") return RunLogin(invocation);
  if (command == "builds") return RunBuilds(invocation);
  if (command == "ca") return RunCa(invocation);
  std::string_view near =
      Nearest(command, {"serve", "token", "login", "builds", "ca", "version", "help"});
  return Fail(
      Error(ErrorCode::kUsage, Cat("unknown command ", Printable(command)))
          .WithHint(near.empty() ? "see depot-pool --help" : Cat("did you mean ", near, '?')));
}

Result<Output> Run(const std::vector<std::string>& argv) {
  Invocation invocation;
  TRY_ASSIGN(invocation.arguments, ParseArguments({argv.begin() + 1, argv.end()},
                                                  {"--config", "--project", "--user", "--expires",
                                                   "--limit", "--out", "--state"}));
  invocation.environment = TakeEnvironment();
  std::vector<std::string>& words = invocation.arguments.words;
  std::string command = words.empty() ? "help" : words[0];
  if (!words.empty()) words.erase(words.begin());
  if (invocation.arguments.help || command == "help") return Output{std::string(kHelp), ""};
  if (command == "version") return Output{"depot-pool " DEPOT_VERSION "\n", ""};
  std::string configured = invocation.environment["DEPOT_POOL_CONFIG"];
  invocation.settings_file = invocation.arguments.Option(
      "--config", configured.empty() ? "/etc/depot-pool/pool.yaml" : configured);
  return RunCommand(command, invocation);
}

int Show(const Error& error) {
  std::string text = Cat("depot-pool: ", error.message(), '\n');
  if (!error.hint().empty()) text += Cat("hint: ", error.hint(), '\n');
  WriteTo(STDERR_FILENO, text);
  return error.code() == ErrorCode::kUsage ? 2 : 1;
}

}  // namespace

Error WrongUsage(const std::string& usage) {
  return Error(ErrorCode::kUsage, "the command is not complete, or says too much")
      .WithHint(Cat("usage: ", usage));
}

}  // namespace depot

int main(int argc, char** argv) {
  // What the pool keeps is nobody else's business.
  ::umask(0077);
  try {
    depot::Result<depot::Output> output = depot::Run({argv, argv + argc});
    if (!output) return depot::Show(output.error());
    depot::WriteTo(STDERR_FILENO, output->err);
    depot::WriteTo(STDOUT_FILENO, output->out);
    return 0;
  } catch (const std::exception& defect) {
    return depot::Show(
        {depot::ErrorCode::kInternal, depot::Cat("internal error: ", defect.what())});
  }
}
