#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `configure-docker`: makes docker call us for its own `docker build`, by the alias `builder` in
/// config.json, or takes buildx's place by a link docker-buildx; `--uninstall` undoes both, or the
/// one that --as names; `--dry-run` only says what it would do. What another program wrote is left,
/// and is kExists. Prints a line for each thing that is so now.
Result<> RunConfigureDocker(const Call& call);

}  // namespace depot::command
