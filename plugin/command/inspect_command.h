#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `inspect NAME`: what a registry has under the name. Prints media type and digest, then each
/// platform's image with its digest, and the kinds of its attestations; `--raw` prints the index or
/// manifest byte for byte. The result goes to standard output, lines about credentials and new
/// attempts to standard error.
Result<> RunInspect(const Call& call);

}  // namespace depot::command
