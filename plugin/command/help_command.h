#pragma once

#include <string>

#include "plugin/command/command.h"

namespace depot::command {

/// `help`: prints GroupHelp() of the word that begins several commands, if there is one, else
/// RootHelp(). The help of a command is its own: it is asked for with --help.
Result<> RunHelp(const Call& call);

/// All commands and docker's own flags; at most 80 columns.
std::string RootHelp(std::string_view program);

/// What a word that begins several commands ("list") prints by itself; the same width.
std::string GroupHelp(std::string_view program, std::string_view group);

}  // namespace depot::command
