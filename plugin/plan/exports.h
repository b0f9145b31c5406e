#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "driver/builder/features.h"
#include "driver/oci/reference.h"
#include "driver/solve/request.h"
#include "plugin/options/build_options.h"

namespace depot::plan {

/// Where the bytes of one exporter go on this side.
enum class DestinationKind {
  kNone,            ///< nothing comes back: a registry, or the builder's own store
  kDirectory,       ///< files below `path`
  kFile,            ///< an archive, to the file `path`
  kLayout,          ///< the files of an OCI archive, below `path` (tar=false)
  kStandardOutput,  ///< an archive, to standard output
  kEngineLoad,      ///< an archive, into the local Engine
  kEngineLayers,    ///< into the local Engine after the solve, what it lacks (tar=false)
  kSbomFiles,       ///< SBOMs alone, for --sbom-dir: their names begin with kSbomFilePrefix
};

/// Of the files that an exporter for kSbomFiles sends: no result has such a name by accident.
inline constexpr std::string_view kSbomFilePrefix = "docker-depot-attestation-";

/// The other end of one exporter.
struct Destination {
  DestinationKind kind = DestinationKind::kNone;
  std::string path;  ///< as the user wrote it
  /// One builder's sub-folder of a directory that takes every builder's; "" = the directory itself.
  std::string folder;
  /// Of kEngineLayers: for a classic store, which knows an image by its configuration.
  bool classic_store = false;
  /// Of kDirectory: device nodes are made, too. Ours alone: builders do not hear of it.
  bool devices = false;
  /// Of kDirectory: what was not sent is removed once the build has succeeded (mode=delete). Ours
  /// alone, so that every builder can: BuildKit's own way is newer than most.
  bool clear = false;
  /// One builder's part of an archive that holds every builder's: kept aside and merged afterwards.
  bool part = false;
  /// Files of several builders that lie in one tree, where none may come from two of them.
  bool together = false;
  /// Of what a builder pushes by digest, as one of several or for options::TagOptions: what the
  /// index of all is to be called, each once; one without a tag is written by digest alone.
  std::vector<Reference> index_names{};
  /// Of such an image: annotations of the index of all, and of the descriptors in it.
  std::vector<options::Annotation> annotations{};
};

/// What is known beyond the command line and the builder.
struct ExportFacts {
  /// The Engine that --load loads into has the containerd image store.
  bool engine_containerd_store = false;
  /// Of a load only what the Engine lacks is to move, where the builder can do that.
  bool load_layers = false;
  bool no_default_load = false;  ///< what has no output stays in the builder's cache, unsaid
  bool default_load = false;     ///< what has no output is loaded
  bool silent = false;           ///< nothing is said of a result that stays in the cache
  std::string not_loaded{};      ///< why nothing is loaded although that is the default: one line
  std::vector<Platform> platforms;   ///< what this builder builds; empty = its own
  bool several_builders = false;     ///< others build the other platforms
  std::vector<std::string> save_as;  ///< names that the Depot API wants a saved image to have
};

/// What becomes of the result.
struct Exports {
  std::vector<solve::Exporter> exporters;
  std::vector<Destination> destinations;  ///< one for each exporter
  /// Names that the Engine must push after the build, because its BuildKit cannot (an Engine with
  /// the classic image store); normalised, without duplicates.
  std::vector<std::string> engine_pushes;
  std::vector<std::string> warnings;
};

/// Turns --output, --push, --load and --tag into exporters that this builder has; pure. `options`
/// went through options::ParseBuildFlags. What the builder cannot do is kUnsupported and says what
/// to do instead; --iidfile without an image is kUsage. With options::TagOptions a push goes by
/// digest, and the tags are left to us. One of several builders pushes by digest, and what joins
/// their platforms is left to us: the index of images and its annotations, one sub-folder for each
/// platform in a local output (or none, with platform-split=false), one archive. A load of which
/// only what the Engine lacks moves takes builders that have exporters with tar=false. With
/// --sbom-dir, a build whose image is neither pushed nor kept in the store of an Engine, or that
/// makes none, gets an exporter more that sends its SBOMs.
Result<Exports> PlanExports(const options::BuildOptions& options,
                            const builder::Features& features,
                            const ExportFacts& facts);

/// Where the archives of --output go, files and standard output, before there is a builder; pure.
std::vector<Destination> ArchivePlaces(const options::BuildOptions& options);

/// Whether a build that asked for no output is loaded where that is the default: for a builder that
/// was made so, and for docker's own `docker build`. BUILDX_NO_DEFAULT_LOAD and DEPOT_LOAD=0 are
/// against it.
bool LeavesLoadToTheDefault(const options::BuildOptions& options, const Environment& environment);

/// Whether the environment says that nothing is loaded, nor kept in an Engine, by default.
bool SwitchesDefaultLoadOff(const Environment& environment);

/// One name in each repository that the build will push to, whoever pushes: known before there is a
/// builder; pure. `save_as` as in ExportFacts.
Result<std::vector<Reference>> PushTargets(const options::BuildOptions& options,
                                           const std::vector<std::string>& save_as);

/// The registries (host[:port], lower case) of images that are pushed with registry.insecure=true;
/// pure.
std::set<std::string> InsecureRegistries(const options::BuildOptions& options);

}  // namespace depot::plan
