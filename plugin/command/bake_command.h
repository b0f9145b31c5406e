#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `bake`: reads a definition, resolves its targets, and prints, lists or builds them. Whatever is
/// wrong with flags or definition ends it with exit code 1, as docker buildx bake does.
Result<> RunBake(const Call& call);

}  // namespace depot::command
