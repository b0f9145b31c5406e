#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `logout`: takes the stored login away from this machine, and says what still counts.
Result<> RunLogout(const Call& call);

}  // namespace depot::command
