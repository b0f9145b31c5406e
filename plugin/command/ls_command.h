#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `ls`: the builders that docker buildx knows, the Docker Engine, and the one that builds go to
/// now, marked with a star. A table as docker buildx has it; `--format json` and templates.
Result<> RunLs(const Call& call);

}  // namespace depot::command
