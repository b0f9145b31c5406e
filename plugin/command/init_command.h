#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `init`: writes depot.json, so that builds of a folder belong to a project; asks which one when
/// none is said and somebody is there to answer. Questions go to standard error, what was done to
/// standard output.
Result<> RunInit(const Call& call);

}  // namespace depot::command
