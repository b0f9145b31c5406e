#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `imagetools inspect NAME`: what a registry has under the name, in the words of `docker buildx
/// imagetools inspect`; `--raw` prints the index or manifest byte for byte, `--format` fills in a
/// template. The result goes to standard output, lines about credentials and new attempts to
/// standard error.
Result<> RunImagetoolsInspect(const Call& call);

}  // namespace depot::command
