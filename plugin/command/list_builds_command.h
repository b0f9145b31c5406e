#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `list builds`: the newest builds of a project, in the forms of `list projects`.
Result<> RunListBuilds(const Call& call);

}  // namespace depot::command
