#include <exception>

#include <poll.h>
#include <unistd.h>

#include "driver/base/environment.h"
#include "driver/base/text.h"
#include "driver/disk/read_file.h"
#include "plugin/command/complete.h"
#include "plugin/command/failure.h"
#include "plugin/command/invocation.h"
#include "plugin/command/version_command.h"
#include "plugin/interrupt.h"
#include "plugin/progress/terminal.h"

// The program: argv in, exit code out. 0 is: all that was asked for is done.

namespace depot {
namespace {

/// The command line of the process that started us, which docker itself is when we are its plugin.
/// Empty when it cannot be read.
std::vector<std::string> CommandLineOfParent() {
  auto text = disk::ReadFileIfThere(Cat("/proc/", ::getppid(), "/cmdline"));
  std::vector<std::string> words;
  if (!text || !*text) return words;
  for (std::string_view word : Split(**text, '\0'))
    words.emplace_back(word);
  words.pop_back();  // each ends in a zero
  return words;
}

/// Past the terminal, in which a thread may be waiting; nothing when nobody reads at this moment.
void SayLast(std::string_view line) {
  pollfd ready{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return;
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

Result<> RunCommand(const command::Invocation& invocation,
                    const Environment& environment,
                    Terminal& terminal) {
  Interrupt interrupt(Variable(environment, "DOCKER_CLI_PLUGIN_SOCKET"), invocation.command->words,
                      SayLast);
  return invocation.command->run({invocation.globals, invocation.arguments, invocation.program,
                                  DEPOT_VERSION, environment, terminal, interrupt.cancel(),
                                  invocation.is_docker_build, invocation.is_buildx});
}

Result<> AnswerCompletion(const command::Invocation& invocation,
                          const Environment& environment,
                          Terminal& terminal) {
  const bool descriptions = invocation.request == command::Request::kComplete;
  const std::vector<std::string> none;
  std::string answer = command::Complete({invocation.arguments, descriptions},
                                         {invocation.globals, none, invocation.program,
                                          DEPOT_VERSION, environment, terminal, Cancel::Never()});
  return terminal.WriteResult(answer, Cancel::Never());
}

Result<> Answer(const command::Invocation& invocation,
                const Environment& environment,
                Terminal& terminal) {
  switch (invocation.request) {
    case command::Request::kMetadata:
      return terminal.WriteResult(command::Metadata(DEPOT_VERSION, invocation.is_buildx),
                                  Cancel::Never());
    case command::Request::kComplete:
    case command::Request::kCompleteNamesAlone:
      return AnswerCompletion(invocation, environment, terminal);
    case command::Request::kHook:
      return {};
    case command::Request::kCommand:
      return RunCommand(invocation, environment, terminal);
  }
  return Fail(ErrorCode::kInternal, "a request without an answer");
}

Result<> Run(const std::vector<std::string>& argv, Terminal& terminal) {
  Environment environment = TakeEnvironment();
  TRY_ASSIGN(command::Invocation invocation,
             command::ParseInvocation(argv, environment, CommandLineOfParent()));
  Result<> done = Answer(invocation, environment, terminal);
  if (done) return done;
  std::string hint = command::InWordsOf(invocation.program, done.error().hint());
  return Fail(std::move(done).error().WithHint(std::move(hint)));
}

/// Says what failed, why, and what to do next; gives the exit code.
int End(const Error& error, Terminal& terminal) {
  terminal.WriteError(command::FailureText(error),
                      Cancel::Never().WithTimeout(std::chrono::seconds(1), "standard error"));
  return command::ExitCode(error);
}

}  // namespace
}  // namespace depot

int main(int argc, char** argv) {
  depot::Terminal terminal;
  try {
    depot::Result<> result = depot::Run({argv, argv + argc}, terminal);
    if (result) return 0;
    return depot::End(result.error(), terminal);
  } catch (const std::exception& defect) {
    return depot::End({depot::ErrorCode::kInternal, depot::Cat("internal error: ", defect.what())},
                      terminal);
  }
}
