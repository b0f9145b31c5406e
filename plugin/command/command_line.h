#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/flags/flag_table.h"
#include "plugin/command/command.h"

namespace depot::command {

/// The command line of a command with few flags and no, one, or any number of arguments. What it
/// points to must outlive it.
struct CommandLine {
  std::string_view words;            ///< the command's
  std::string_view description;      ///< one sentence, for help
  std::vector<flags::Flag> flags{};  ///< all but --help
  std::string_view argument{};       ///< as the usage shows it: "[DIR]"; "" = there is none
  std::string* target = nullptr;     ///< gets the argument when one is given
  std::vector<std::string>* targets = nullptr;  ///< gets all arguments; then there is no `target`
};

/// Reads `call.arguments` into what `line` points to. False: help was asked for, and is printed, or
/// the flags alone were.
/// Errors are kUsage with a hint.
Result<bool> ReadCommandLine(CommandLine line, const Call& call);

/// How the command is called: "docker depot init [OPTIONS] [DIR]".
std::string UsageOf(const CommandLine& line, std::string_view program);

}  // namespace depot::command
