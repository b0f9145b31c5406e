#pragma once

#include "driver/base/cancel.h"
#include "plugin/options/invocation.h"
#include "plugin/progress/terminal.h"

namespace depot {

/// list projects and list builds: a table when standard output is a terminal, else CSV as the
/// official client writes it, or what --output says. The caller shows the error and chooses the
/// exit code.
Result<> RunList(const options::Invocation& invocation,
                 const Environment& environment,
                 Terminal& terminal,
                 const Cancel& cancel);

}  // namespace depot
