#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `du`: what the cache of the builder has, in the forms of docker buildx. The Depot API gives
/// builders to builds alone: that is said, and nothing is listed.
Result<> RunDu(const Call& call);

/// `prune`: empties the cache of the builder; `--force` is needed, since nobody is asked. With the
/// Depot API `--all` empties the project's cache, and anything less is said to have no effect:
/// builders there clean up by themselves.
Result<> RunPrune(const Call& call);

}  // namespace depot::command
