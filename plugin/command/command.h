#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/base/environment.h"
#include "driver/flags/flag_table.h"
#include "plugin/options/global_flags.h"
#include "plugin/progress/terminal.h"

namespace depot::command {

/// One run of a command: what the user said, and what the process has. Everything outlives the run.
struct Call {
  const options::GlobalFlags& globals;
  const std::vector<std::string>& arguments;  ///< what follows the command's words
  std::string_view program;  ///< how the user calls us: "docker depot", "docker-depot", "depot"
  std::string_view version;  ///< ours
  const Environment& environment;
  Terminal& terminal;
  const Cancel& cancel;  ///< stops when the user wants it to
  /// Docker's own `docker build` was asked for, and brought to us by the alias `builder` or by the
  /// name docker-buildx.
  bool is_docker_build = false;
  bool is_buildx = false;  ///< we run under the name docker-buildx
  /// Set: the command puts its flags there, without their setters, and does nothing else.
  std::vector<flags::Flag>* flags_only = nullptr;
};

/// A command: how it is written, what help says of it, what it does.
struct Command {
  std::string_view words;    ///< one or two: "build", "list builds"
  std::string_view summary;  ///< one line
  /// Does the work. Success means that all that was asked for is done; the caller shows the error
  /// and chooses the exit code.
  Result<> (*run)(const Call& call);
};

/// All of them, in the order that help shows. A new command is one line here, and its own files.
std::span<const Command> Commands();

/// The command with exactly these words, or with its short form; null = there is none.
const Command* FindCommand(std::string_view words);

/// The words that `group` ("list") can go on with; with "" the first words of all commands.
std::vector<std::string_view> NextWords(std::string_view group);

}  // namespace depot::command
