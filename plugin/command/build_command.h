#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `build`: parse, prepare, acquire, solve, deliver. Shows progress.
Result<> RunBuild(const Call& call);

}  // namespace depot::command
