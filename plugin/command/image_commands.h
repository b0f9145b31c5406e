#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `image list`: the images that builds with --save have left in the Depot registry.
Result<> RunImageList(const Call& call);

/// `image rm TAG...`: removes some of them.
Result<> RunImageRm(const Call& call);

}  // namespace depot::command
