#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `pull-token [BUILD]`: prints a password for the registry that keeps saved images, as a job
/// elsewhere needs it to pull one; of the build, or of the project.
Result<> RunPullToken(const Call& call);

}  // namespace depot::command
