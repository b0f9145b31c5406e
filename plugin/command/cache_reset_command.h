#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `cache reset`: empties the build cache of a project, and says of which.
Result<> RunCacheReset(const Call& call);

}  // namespace depot::command
