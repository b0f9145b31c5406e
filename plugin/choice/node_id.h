#pragma once

#include <string>

#include "driver/base/environment.h"
#include "driver/base/secret.h"

namespace depot::choice {

/// Names the owner of a context on a builder. The builder keeps its copy of a context under a key,
/// and sends nothing again that looks unchanged there. Whoever knows the key could make the builder
/// hand out another's files, so it must not be guessable: with a `secret` that only this project
/// has (a client key, a token) it is derived from that, the project and the machine, and is the
/// same in every job of a project. Without one it is a random one kept in BUILDX_CONFIG, else
/// beside config.json in `config_directory`, where docker buildx keeps it too; a place that cannot
/// be written costs the next build its context again, and nothing more.
std::string NodeId(const Secret& secret,
                   const Environment& environment,
                   const std::string& config_directory);

}  // namespace depot::choice
