#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "driver/builder/driver.h"
#include "driver/depot/project.h"
#include "driver/depot/token.h"
#include "driver/docker/contexts.h"
#include "driver/http/client.h"
#include "plugin/options/build_options.h"
#include "plugin/options/invocation.h"

namespace depot {

/// A builder that may be had.
struct Site {
  std::string name;              ///< for people
  std::vector<Platform> native;  ///< known beforehand; empty = asked of the builder when it is held
  std::shared_ptr<builder::Driver> driver;
};

/// The Depot API is to give the builders, once it knows of the build.
struct HostedChoice {
  std::string api_url;
  api::Token token;
  api::ProjectChoice project;
  std::string existing_build;  ///< DEPOT_BUILD_ID; "" = a new one
};

/// Which builders a build can use, and how that was said.
struct BuilderChoice {
  std::vector<Site> sites;             ///< not empty, unless `hosted`
  std::optional<HostedChoice> hosted;  ///< then the sites are HostedSites()
  bool engine = false;                 ///< the one site is the local Docker Engine
  std::string line;  ///< for the progress output: "building on tcp://... (--builder)"
  std::vector<std::string> warnings;
  /// Tells this machine's or this project's contexts on the builder from others'; see NodeId().
  std::string node_id;
};

/// What the choice is made from.
struct ChoiceFacts {
  const options::BuildOptions& options;
  const Environment& environment;
  const docker::EngineEndpoint& engine;  ///< what the user's Docker settings mean
  std::string config_directory;          ///< where config.json lies
  /// Lets the user log in when a project is named and no token is there; empty where nobody could:
  /// then that is an error.
  std::function<Result<>()> log_in;
};

/// Whether the build uses the local Docker Engine: neither a builder, nor a token, nor a project is
/// named. Asks nobody.
Result<bool> ChoosesEngine(const options::BuildOptions& options, const Environment& environment);

/// The first that applies: --builder or DEPOT_BUILDER (self-hosted; one address, or
/// PLATFORM=ADDRESS,...); a token or a project (the Depot API: a project without a token is an
/// error, never silently built elsewhere); the Docker Engine. May ask a CI's OIDC provider for the
/// token.
Result<BuilderChoice> ChooseBuilder(const ChoiceFacts& facts,
                                    http::HttpClient& client,
                                    const Cancel& cancel);

/// The machines of the Depot API: one for amd64, one for arm64, this machine's kind first; with
/// `forced` (--build-platform) only that one.
std::vector<Site> HostedSites(const std::shared_ptr<builder::Driver>& driver,
                              const std::optional<Platform>& forced);

}  // namespace depot
