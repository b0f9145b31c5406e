#pragma once

#include <map>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/docker/contexts.h"
#include "driver/docker/credential_store.h"
#include "plugin/options/global_flags.h"

namespace depot::job {

/// Everything about the user's Docker installation that a command reads.
struct DockerSetup {
  docker::CredentialPlaces credentials;  ///< with config.json, which says more than these
  /// Which Engine is meant, or why that is not known: not every command needs one.
  Result<docker::EngineEndpoint> engine = docker::EngineEndpoint();
};

/// Where config.json lies: --config, DOCKER_CONFIG, or ~/.docker; exists or not.
std::string DockerDirectory(const options::GlobalFlags& flags, const Environment& environment);

/// As ReadDockerSetup(), but what is malformed counts as not there, and each is in `faults`.
DockerSetup ReadWhatIsSound(const options::GlobalFlags& flags,
                            const Environment& environment,
                            std::vector<Error>& faults);

/// Reads config.json (of --config, DOCKER_CONFIG or ~/.docker), the variables beside it, and the
/// Engine's TLS files. What is malformed is kInvalid.
Result<DockerSetup> ReadDockerSetup(const options::GlobalFlags& flags,
                                    const Environment& environment);

}  // namespace depot::job
