#pragma once

#include "driver/base/cancel.h"
#include "plugin/options/invocation.h"
#include "plugin/progress/terminal.h"

namespace depot {

/// `inspect NAME`: what a registry has under the name. Prints media type and digest, then each
/// platform's image with its digest, and the kinds of its attestations; `--raw` prints the index
/// or manifest byte for byte. The result goes to standard output, lines about credentials and new
/// attempts to standard error. The caller shows the error and chooses the exit code.
Result<> RunInspect(const options::Invocation& invocation,
                    const Environment& environment,
                    Terminal& terminal,
                    const Cancel& cancel);

}  // namespace depot
