#pragma once

#include "driver/base/cancel.h"
#include "plugin/options/invocation.h"
#include "plugin/progress/terminal.h"

namespace depot {

/// `build`: parse, plan, acquire, solve, deliver. Success means that everything the user asked for
/// is where it was asked for. Shows progress itself; the caller shows the error and chooses the
/// exit code.
Result<> RunBuild(const options::Invocation& invocation,
                  const Environment& environment,
                  Terminal& terminal,
                  const Cancel& cancel);

}  // namespace depot
