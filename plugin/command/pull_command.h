#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `pull`: has the Docker Engine fetch the image of a saved build from where the Depot API says it
/// lies, and names it as asked. Prints the names on standard output. Shows progress.
Result<> RunPull(const Call& call);

}  // namespace depot::command
