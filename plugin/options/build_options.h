#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "driver/base/secret.h"
#include "driver/oci/platform.h"
#include "plugin/options/cache_flags.h"
#include "plugin/options/call_flags.h"
#include "plugin/options/context_flags.h"
#include "plugin/options/limit_flags.h"
#include "plugin/options/report_flags.h"
#include "plugin/options/retry_flags.h"
#include "plugin/options/source_options.h"
#include "plugin/options/tag_flags.h"

namespace depot::options {

/// One `-o`: what the user wrote, taken apart and checked; attributes keep their order in a map
/// because the wire has no order either.
struct Output {
  std::string type;  ///< local, tar, oci, docker, image, registry, cacheonly
  std::string dest;  ///< path, "-" for standard output, or "" when not given
  std::map<std::string, std::string> attrs;  ///< everything but type and dest
};

/// One --secret; file or variable is set, or neither: then the variable of that id is meant if
/// there is one, else the file of that name.
struct SecretSource {
  std::string id;
  std::string file;
  std::string variable;
};

/// One KEY=VALUE of --annotation, for one place that it goes to; a flag with several TYPEs gives
/// several of these. (BuildKit exporter/containerimage/exptypes/annotations.go)
struct Annotation {
  std::string type;                  ///< manifest, manifest-descriptor, index, index-descriptor
  std::optional<Platform> platform;  ///< of a manifest or its descriptor; unset = every platform's
  std::string key;
  std::string value;
};

/// --progress. kAuto is chosen when the flag is not given, and leaves the choice to the display.
enum class ProgressMode { kAuto, kPlain, kTty, kGitlab, kRawJson, kQuiet, kNone };

/// What the user said on the command line of `build`, by flag. Nothing here was looked up: no file
/// was read, no variable consulted.
struct BuildOptions {
  std::string context;  ///< PATH, URL or "-"
  std::string file;     ///< -f; "" = default, "-" = standard input
  std::vector<std::string> tags;
  /// The text of the Dockerfile, instead of `file`; no flag says it, but a bake definition can.
  std::optional<std::string> dockerfile_inline;
  std::string target;
  /// KEY, and its value; nullopt = take it from the environment.
  std::vector<std::pair<std::string, std::optional<std::string>>> build_args;
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<Platform> platforms;  ///< each once, in the user's order; empty = not given
  std::vector<SecretSource> secrets;
  std::vector<Output> outputs;
  CacheOptions caches;
  std::vector<std::string> no_cache_filter;  ///< stages; only without no_cache
  bool no_cache = false;
  bool pull = false;
  bool push = false;
  bool no_preflight = false;  ///< do not ask registries beforehand whether a push is allowed
  bool load = false;
  bool quiet = false;
  /// What --metadata-file would have is wanted without one: of several targets it is one file.
  bool metadata_wanted = false;
  ProgressMode progress = ProgressMode::kAuto;
  std::string iidfile;
  std::string metadata_file;
  std::string builder;              ///< --builder; "" = not given
  std::vector<std::string> allow;   ///< entitlements, for the builder
  bool allow_local_delete = false;  ///< --allow buildx.local.delete, which no builder hears of
  StepLimits limits;
  std::string network;  ///< "", "default", "none", "host"
  /// Name, and address: IPv4, IPv6 without brackets, or the word host-gateway.
  std::vector<std::pair<std::string, std::string>> add_hosts;

  /// --attest, --provenance, --sbom in one: "sbom" or "provenance", and its attributes without type
  /// and disabled (empty = the builder's defaults). A type that is in neither of the two was not
  /// spoken of; one that is in `attests_disabled` must not even get its default.
  std::map<std::string, std::map<std::string, std::string>> attests;
  std::set<std::string> attests_disabled;
  std::string sbom_dir;  ///< directory for SPDX documents; "" = not given; "sbom" is then on
  /// In the user's order; of two for the same place and key the later one only.
  std::vector<Annotation> annotations;

  ReportOptions reports;
  RetryOptions retry;
  TagOptions tagging;  ///< --tag-guard, --merge-index

  SourceOptions sources;    ///< --ssh, --build-context
  ContextOptions contexts;  ///< --context-times

  FrontendCall call;  ///< then nothing is to be built, and nothing below asks for a result
  Lint lint;
  std::string docker_config;  ///< --config, as in front of the command; "" = not given
  /// What was said and changes nothing, one line each.
  std::vector<std::string> notices;

  bool debug = false;                      ///< --debug, as in front of the command
  bool policy_disabled = false;            ///< --policy disabled=true
  std::string project;                     ///< --project; "" = not given
  Secret token;                            ///< --token; empty = not given
  std::vector<std::string> save_tags;      ///< tags without a name; only with `save`
  std::optional<Platform> build_platform;  ///< linux/amd64 or linux/arm64; unset = dynamic
  bool save = false;                       ///< keep the image in the Depot registry
  bool sbom_implied = false;               ///< the SBOM is on only because of --sbom-dir
  bool emulate = false;                    ///< a platform may be built on any builder
  std::optional<bool> native_only;         ///< --native-only; unset = not given
  bool suppress_no_output_warning = false;
};

}  // namespace depot::options
