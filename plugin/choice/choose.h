#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/depot/project.h"
#include "driver/depot/token.h"
#include "driver/docker/contexts.h"
#include "driver/http/client.h"
#include "plugin/choice/placement.h"
#include "plugin/options/build_options.h"

namespace depot::choice {

/// The Depot API is to give the builders, once it knows of the build.
struct HostedChoice {
  api::Token token;
  api::ProjectChoice project;
  std::optional<Platform> machine;  ///< --build-platform: that machine alone
  std::string existing_build;       ///< DEPOT_BUILD_ID; "" = a new one
};

/// Which builders a build can use, and how that was said.
struct Choice {
  std::vector<Site> sites;             ///< not empty, unless `hosted`
  std::optional<HostedChoice> hosted;  ///< then the sites are HostedSites()
  bool engine = false;                 ///< the one site is the local Docker Engine
  Emulation emulation = Emulation::kListed;
  bool default_load = false;  ///< a build without an output is loaded (`create --driver-opt`)
  std::string line;           ///< for the progress output: "building on tcp://... (--builder)"
  std::vector<std::string> warnings;
  /// Tells this machine's or this project's contexts on the builder from others'; see NodeId().
  std::string node_id;
};

/// What the choice is made from.
struct ChoiceFacts {
  const options::BuildOptions& options;
  const Environment& environment;
  /// What the user's Docker settings mean, or what is wrong with them: no matter unless it is
  /// chosen.
  const Result<docker::EngineEndpoint>& engine;
  std::string config_directory;  ///< where config.json lies
  /// Lets the user log in when a project is named and no token is there; empty where nobody could:
  /// then that is an error.
  std::function<Result<>()> log_in;
};

/// The first that applies: --builder or DEPOT_BUILDER (self-hosted; one address, or
/// PLATFORM=ADDRESS,..., or the name of an instance of docker buildx); a token or a project (the
/// Depot API: a project without a token is an error); the builder that the environment names
/// (builder::BuilderOfEnvironment()); the Docker Engine. One that is named and cannot be used is an
/// error At(kSettings), never silently built elsewhere. May ask a CI's OIDC provider for the token.
/// What the chosen builder cannot do at all (--save) is kUsage; flags without an effect there are
/// warnings.
Result<Choice> ChooseBuilder(const ChoiceFacts& facts,
                             http::HttpClient& client,
                             const Cancel& cancel);

/// --emulate and --build-platform, which take one machine for everything: kAnywhere. --native-only,
/// DEPOT_NATIVE_ONLY, else with the Depot API, whose point native machines are: kNever. A flag
/// counts before the variable.
Emulation EmulationOf(const options::BuildOptions& options,
                      const Environment& environment,
                      bool hosted);

/// The machines of the Depot API: one for amd64, one for arm64, this machine's kind first; with
/// `machine` only that one.
std::vector<Site> HostedSites(const std::shared_ptr<builder::Driver>& driver,
                              const std::optional<Platform>& machine);

}  // namespace depot::choice
