#pragma once

#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "driver/session/ssh_service.h"
#include "plugin/options/build_options.h"

namespace depot::plan {

/// --ssh with what is behind it: keys are read now, from files, pipes and variables (which hold the
/// key's text, base64 of it, or the path of its file: builder::LoadPem()); of agents only the
/// socket is found. A git context over ssh gets the agent at $SSH_AUTH_SOCK when no --ssh was
/// given, as buildx has it (commands/build.go). Errors begin with the flag and the file or
/// variable: not there, not to be read, no key that can be used, a socket among keys; and such a
/// context with neither.
Result<std::vector<session::SshOffer>> PlanSsh(const options::BuildOptions& options,
                                               const Environment& environment,
                                               const Cancel& cancel);

}  // namespace depot::plan
