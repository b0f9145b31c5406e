#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `version`: prints the program's name and version.
Result<> RunVersion(const Call& call);

}  // namespace depot::command
