#pragma once

#include <memory>
#include <string>

#include "driver/builder/driver.h"
#include "driver/docker/contexts.h"
#include "plugin/options/invocation.h"

namespace depot {

/// Which builder a build uses, and how that was said.
struct BuilderChoice {
  std::unique_ptr<builder::Driver> driver;
  std::string line;  ///< for the progress output: "building on tcp://... (--builder)"
  /// Tells this machine's or this project's contexts on the builder from others'; see NodeId().
  std::string node_id;
};

/// The first that applies: --builder or DEPOT_BUILDER (self-hosted); a Depot token or project (not
/// supported yet, and never silently built elsewhere); the Docker Engine. `engine` is what the
/// user's Docker settings mean, `config_directory` where config.json lies.
Result<BuilderChoice> ChooseBuilder(const std::string& builder_flag,
                                    const std::string& context,
                                    const options::Environment& environment,
                                    const docker::EngineEndpoint& engine,
                                    const std::string& config_directory);

}  // namespace depot
