#pragma once

#include <map>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "driver/builder/features.h"
#include "driver/solve/request.h"
#include "plugin/options/build_options.h"
#include "plugin/plan/source.h"

namespace depot::plan {

/// What the Dockerfile frontend reads besides flags.
struct FrontendFacts {
  Environment environment;
  /// "proxies" of config.json (docker::ConfigFile), and the Engine address that chooses among them.
  std::map<std::string, std::map<std::string, std::string>> proxies;
  std::string engine_host;
  std::vector<Platform> platforms;  ///< to build for; empty = the builder's own
  /// Where the builder gets a context that is uploaded (Source::upload): what
  /// session::AddUpload() gave.
  std::string upload_url;
  /// Names this machine's copies of local contexts on the builder; "" = the builder keeps none.
  std::string node_id;
  /// The result is one of several images that become one, and nothing else.
  bool image_of_several = false;
};

/// --platform, else DOCKER_DEFAULT_PLATFORM (a list too): each once, in the order given.
Result<std::vector<Platform>> WantedPlatforms(const options::BuildOptions& options,
                                              const Environment& environment);

/// A warning for each of these `wanted`, and of the platforms of --annotation, whose system or
/// architecture nobody knows; the builder gets it as it is.
std::vector<std::string> UnknownPlatforms(const options::BuildOptions& options,
                                          const std::vector<Platform>& wanted);

/// Fills in frontend, its attributes (BuildKit frontend/dockerui/config.go) and entitlements; pure.
/// Attestations are those asked for, and provenance in its smallest form when nothing was said
/// about it and BUILDX_NO_DEFAULT_ATTESTATIONS is not set, as buildx has it
/// (util/buildflags/attests.go). It is in images, also in the archive of several platforms whoever
/// builds them, not among files. Errors: an empty BUILDKIT_SYNTAX, host-gateway on a builder that
/// does not know it, attestations on one that makes none.
Result<> PlanFrontend(const options::BuildOptions& options,
                      const builder::Features& features,
                      const Source& source,
                      const FrontendFacts& facts,
                      solve::BuildRequest& request);

}  // namespace depot::plan
