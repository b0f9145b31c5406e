#include "plugin/command/help_command.h"

#include "driver/base/text.h"
#include "driver/flags/flag_table.h"
#include "plugin/command/invocation.h"

namespace depot::command {
namespace {

std::string Row(std::string_view words, std::string_view summary) {
  std::string line = Cat("  ", words);
  line.resize(22, ' ');
  return Cat(line, summary, '\n');
}

}  // namespace

std::string RootHelp(std::string_view program) {
  std::string text = Cat("Usage:  ", program,
                         " [OPTIONS] COMMAND\n\n"
                         "Build images on remote BuildKit builders\n\n"
                         "Options:\n",
                         flags::FormatFlags(GlobalFlags()), "\nCommands:\n");
  for (const Command& command : Commands())
    text += Row(command.words, command.summary);
  return Cat(text, "\nRun '", program, " COMMAND --help' for more information on a command.\n");
}

std::string GroupHelp(std::string_view program, std::string_view group) {
  std::string text = Cat("Usage:  ", program, ' ', group, " COMMAND\n\nCommands:\n");
  for (std::string_view word : NextWords(group))
    text += Row(word, FindCommand(Cat(group, ' ', word))->summary);
  return Cat(text, "\nRun '", program, ' ', group,
             " COMMAND --help' for more information on a command.\n");
}

Result<> RunHelp(const Call& call) {
  std::string text = call.arguments.empty() ? RootHelp(call.program)
                                            : GroupHelp(call.program, call.arguments.front());
  return call.terminal.WriteResult(text, call.cancel);
}

}  // namespace depot::command
