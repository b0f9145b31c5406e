#pragma once

#include <string>
#include <utility>
#include <vector>

#include "driver/docker/contexts.h"
#include "driver/registry/credentials.h"

namespace depot::docker {

/// Credentials with the host that each is for.
using HostCredentials = std::vector<std::pair<std::string, registry::Credential>>;

/// What a GitLab job is given for the project's registry (CI_REGISTRY_USER, CI_REGISTRY_PASSWORD,
/// then the deploy token CI_DEPLOY_USER, CI_DEPLOY_PASSWORD, both for CI_REGISTRY) and for the
/// dependency proxy (CI_DEPENDENCY_PROXY_USER, _PASSWORD, _SERVER; GitLab, "Predefined CI/CD
/// variables"). Nothing without GITLAB_CI. The proxy's server is host:port.
HostCredentials GitlabCredentials(const Environment& environment);

}  // namespace depot::docker
