#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `projects create NAME`: makes a project, and prints it as JSON, as the official client does.
Result<> RunProjectsCreate(const Call& call);

/// `projects get [ID]`: what the API says of a project.
Result<> RunProjectsGet(const Call& call);

/// `projects update [ID]`: changes what is given by flags, and nothing else.
Result<> RunProjectsUpdate(const Call& call);

/// `projects delete`: removes a project with its cache; --yes, or a yes on the terminal.
Result<> RunProjectsDelete(const Call& call);

}  // namespace depot::command
