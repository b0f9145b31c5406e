#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "driver/builder/features.h"
#include "driver/session/secrets.h"
#include "driver/solve/dockerfile_input.h"
#include "driver/solve/request.h"
#include "plugin/options/build_options.h"
#include "plugin/plan/exports.h"
#include "plugin/plan/frontend.h"
#include "plugin/plan/source.h"

/// From what the user said to what the builder is asked, in two steps around the connection:
///   before: InspectSource, DecideSource, DescribeVcs, PlanSecrets (and session::CheckSecrets):
///           whatever is wrong with the user's own machine ends the run here
///   after:  MakePlan, which needs the builder's Features and, when
///           options::WantsLoad(), the Engine
namespace depot::plan {

/// What is known beyond the command line and the builder.
struct PlanFacts {
  FrontendFacts frontend;
  bool engine_containerd_store = false;  ///< docker::EngineInfo; only read when loading
  bool load_layers = false;              ///< ExportFacts
  bool default_load = false;             ///< ExportFacts
  std::string not_loaded{};              ///< ExportFacts
  bool several_builders = false;         ///< this plan is for one of them: ExportFacts
  std::vector<std::string> save_as;      ///< ExportFacts
  /// Of DescribeVcs(): attributes that nothing else has set.
  std::map<std::string, std::string> vcs{};
  std::string source_policy;                          ///< ReadSourcePolicy()
  std::vector<solve::DatedContext> dated{};           ///< ContextPlan
  std::optional<solve::DockerfileText> dockerfile{};  ///< ReadDockerfileText()
  bool explain = false;                               ///< BuildRequest::explain
};

/// All that is decided before the builder starts, and constant from then on; nothing is opened or
/// sent yet.
struct BuildPlan {
  solve::BuildRequest request;
  /// Where each of request.exporters goes, by its index.
  std::vector<Destination> destinations;
  std::vector<std::string> engine_pushes;  ///< see Exports
  std::vector<std::string> warnings;       ///< one line each, for the user
};

/// --secret with its values: a variable is read from `environment` now, a file later, when asked
/// for. An unset variable is kInvalid. Neither file nor variable given: the variable of that name
/// if it is set, else the file of that name.
Result<std::vector<session::SecretSpec>> PlanSecrets(const options::BuildOptions& options,
                                                     const Environment& environment);

/// The whole request; pure. Errors as of PlanExports() and PlanFrontend().
Result<BuildPlan> MakePlan(const options::BuildOptions& options,
                           const builder::Features& features,
                           const Source& source,
                           const PlanFacts& facts);

}  // namespace depot::plan
