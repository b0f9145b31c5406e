#include "plugin/command/command_line.h"

#include "driver/base/text.h"

namespace depot::command {
namespace {

Result<> Parse(const CommandLine& line, const bool& help, const Call& call) {
  TRY_ASSIGN(auto arguments,
             flags::ParseWords(line.flags, call.arguments, flags::Placement::kAnywhere));
  if (help) return {};
  if (line.targets != nullptr) {
    *line.targets = std::move(arguments);
    return {};
  }
  if (arguments.size() > (line.target == nullptr ? 0u : 1u)) {
    return Fail(Error(ErrorCode::kUsage, Cat("'", call.program, ' ', line.words, "' has ",
                                             line.target == nullptr ? "no" : "one",
                                             " argument, got ", arguments.size()))
                    .WithHint(Cat("usage: ", UsageOf(line, call.program))));
  }
  if (!arguments.empty() && line.target != nullptr) *line.target = arguments.front();
  return {};
}

}  // namespace

std::string UsageOf(const CommandLine& line, std::string_view program) {
  return Cat(program, ' ', line.words, " [OPTIONS]", line.argument.empty() ? "" : " ",
             line.argument);
}

Result<bool> ReadCommandLine(CommandLine line, const Call& call) {
  bool help = false;
  line.flags.push_back(
      {"help", 'h', flags::FlagKind::kSwitch, "", "Print usage", flags::Into(help)});
  if (call.flags_only != nullptr) {
    *call.flags_only = flags::WithoutSetters(std::move(line.flags));
    return false;
  }
  Result<> parsed = Parse(line, help, call);
  if (!parsed && parsed.error().hint().empty()) {
    return Fail(std::move(parsed).error().WithHint(
        Cat("see '", call.program, ' ', line.words, " --help'")));
  }
  TRY(std::move(parsed));
  if (!help) return true;
  TRY(call.terminal.WriteResult(
      Cat("Usage:  ", UsageOf(line, call.program), "\n\n", line.description, "\n\nOptions:\n",
          flags::FormatFlags(line.flags)),
      call.cancel));
  return false;
}

}  // namespace depot::command
