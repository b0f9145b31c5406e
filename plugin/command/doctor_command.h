#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `doctor [REF]`: looks at all that a build needs, and says of each what to do about it. Builds
/// and pushes nothing. Fails when a check did, with its exit code.
Result<> RunDoctor(const Call& call);

}  // namespace depot::command
