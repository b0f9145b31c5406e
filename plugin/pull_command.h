#pragma once

#include "driver/base/cancel.h"
#include "plugin/options/invocation.h"
#include "plugin/progress/terminal.h"

namespace depot {

/// pull: has the Docker Engine fetch the image of a saved build from where the Depot API says it
/// lies, and names it as asked. Prints the names on standard output. Shows progress itself; the
/// caller shows the error and chooses the exit code.
Result<> RunPull(const options::Invocation& invocation,
                 const Environment& environment,
                 Terminal& terminal,
                 const Cancel& cancel);

}  // namespace depot
