#pragma once

#include <vector>

#include "driver/base/environment.h"
#include "driver/session/secrets.h"
#include "plugin/options/build_options.h"

namespace depot::plan {

/// In a GitLab job, what makes git on a builder fetch from the job's own server as the job itself:
/// CI_JOB_TOKEN as the secret by which BuildKit asks for that host (source/git,
/// GIT_AUTH_HEADER.HOST with HOST[:PORT] as it stands in the URL). For no other host; nothing when
/// --secret gives git's credentials for that host or for all.
std::vector<session::SecretSpec> JobTokenSecrets(const options::BuildOptions& options,
                                                 const Environment& environment);

}  // namespace depot::plan
