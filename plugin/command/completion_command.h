#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `completion SHELL`: prints the script that lets bash, zsh or fish ask us (Complete()) for what
/// `depot` and `docker-depot` can go on with. For `docker depot` docker's own script does that.
Result<> RunCompletion(const Call& call);

}  // namespace depot::command
