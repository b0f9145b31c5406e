#pragma once

#include <map>
#include <string>

#include "driver/base/result.h"
#include "driver/build/request.h"
#include "driver/builder/features.h"
#include "plugin/options/build_options.h"
#include "plugin/options/invocation.h"
#include "plugin/plan/source.h"

namespace depot::plan {

using options::Environment;

/// What the Dockerfile frontend reads besides flags.
struct FrontendFacts {
  Environment environment;
  /// "proxies" of config.json (docker::ConfigFile), and the Engine address that chooses among them.
  std::map<std::string, std::map<std::string, std::string>> proxies;
  std::string engine_host;
};

/// Fills in frontend, its attributes (BuildKit frontend/dockerui/config.go) and entitlements; pure.
/// The attribute "context" of an upload is left to the caller (Source::upload). Errors: an empty
/// BUILDKIT_SYNTAX, a wrong DOCKER_DEFAULT_PLATFORM, host-gateway on a builder that does not know
/// it.
Result<> PlanFrontend(const options::BuildOptions& options,
                      const builder::Features& features,
                      const Source& source,
                      const FrontendFacts& facts,
                      build::BuildRequest& request);

}  // namespace depot::plan
