#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `list projects`: a table when standard output is a terminal, else CSV as the official client
/// writes it, or what --output says.
Result<> RunListProjects(const Call& call);

}  // namespace depot::command
