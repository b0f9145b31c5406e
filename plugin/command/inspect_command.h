#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `inspect [NAME]`: a builder with its machines, in the words of `docker buildx inspect`; without
/// a name the one that builds go to. `--bootstrap` makes it an error when a machine does not
/// answer. A name that nobody knows, while a remote builder is named by the environment, is said to
/// have no effect.
Result<> RunInspect(const Call& call);

}  // namespace depot::command
