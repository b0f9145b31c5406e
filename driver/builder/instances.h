#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/environment.h"
#include "driver/builder/endpoint.h"
#include "driver/docker/engine_endpoint.h"
#include "driver/oci/platform.h"

namespace depot::builder {

/// One machine of an instance.
struct InstanceNode {
  std::string name;
  Endpoint endpoint;
  std::vector<Platform> platforms;  ///< said by `create --platform`; empty = asked of it
};

/// A builder that `docker buildx create` made, as its file says (buildx store/nodegroup.go).
struct Instance {
  std::string name;
  /// The driver `docker`: it is the Docker Engine that is in use anyway, and has no nodes here.
  bool engine = false;
  std::vector<InstanceNode> nodes;
  bool default_load = false;         ///< a driver option: a build without an output is loaded
  std::vector<std::string> notices;  ///< options that mean nothing here, one line each
};

/// docker buildx's own folder: BUILDX_CONFIG, else the one beside config.json (buildx
/// util/confutil).
std::string BuildxFolder(const Environment& environment, const std::string& config_directory);

/// What buildx knows an Engine by, for InstanceStore::Use() (buildx util/dockerutil).
std::string EngineKey(const docker::EngineEndpoint& engine);

/// Where instances are looked for.
struct InstanceFacts {
  const Environment& environment;
  const std::string& config_directory;   ///< of config.json; buildx's folder and contexts are in it
  const docker::EngineEndpoint& engine;  ///< the Engine in use
};

/// The instance `name`, or the docker context of that name when it is the one in use (buildx
/// store/storeutil). kNotFound, with the nearest name, when there is neither. An instance that
/// cannot be used is an Error: a driver or an option that we do not know, a malformed file, another
/// docker context than the one in use. Reads files, among them TLS material; asks nobody.
Result<Instance> FindInstance(std::string_view name,
                              const InstanceFacts& facts,
                              const Cancel& cancel);

/// What `docker buildx use` has chosen for the Engine in use; nullopt when that is nothing, or no
/// longer there: then buildx takes the Engine itself. Errors as of FindInstance().
Result<std::optional<Instance>> CurrentInstance(const InstanceFacts& facts, const Cancel& cancel);

/// A builder that somebody named, and who did: "BUILDX_BUILDER", for people.
struct NamedBuilder {
  Instance instance;
  std::string said_by;
};

/// The builder that the environment names to docker buildx and to buildctl: BUILDX_BUILDER (a
/// name), else BUILDKIT_HOST (an address, see ParseEndpoint()), else CurrentInstance(). nullopt
/// when nothing does. One that cannot be used is an Error: never may a build go elsewhere in
/// silence.
Result<std::optional<NamedBuilder>> BuilderOfEnvironment(const InstanceFacts& facts,
                                                         const Cancel& cancel);

/// The instance that the text of a file describes; for FindInstance(), and for fuzzing.
Result<Instance> ParseInstance(std::string_view json,
                               const InstanceFacts& facts,
                               const Cancel& cancel);

}  // namespace depot::builder
