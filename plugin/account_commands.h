#pragma once

#include "driver/base/cancel.h"
#include "plugin/options/invocation.h"
#include "plugin/progress/terminal.h"

namespace depot {

/// login, logout, init and cache reset. Confirms on standard output what was done; what is waited
/// for, and questions, go to standard error. The caller shows the error and chooses the exit code.
Result<> RunAccount(const options::Invocation& invocation,
                    const Environment& environment,
                    Terminal& terminal,
                    const Cancel& cancel);

/// `login` in the middle of another command that turned out to need a token.
Result<> LogIn(const Environment& environment, Terminal& terminal, const Cancel& cancel);

}  // namespace depot
