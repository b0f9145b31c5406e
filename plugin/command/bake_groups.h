#pragma once

#include <set>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "plugin/choice/choose.h"
#include "plugin/command/bake_run.h"
#include "plugin/command/command.h"
#include "plugin/job/workshop.h"

namespace depot::command {

/// Targets that are built as one build: those of one project of the Depot API, which hears of each
/// project's build by itself, or all of them where other builders are chosen.
struct BakeGroup {
  std::string project;  ///< "" = none is named
  choice::Choice choice;
  std::set<std::string> targets;  ///< their names; not empty
};

/// Which builders the targets have. One that names no project (`project_id`) is of the run's own:
/// --project, DEPOT_PROJECT_ID or depot.json, else of the only one that others name. With the Depot
/// API it is kInvalid that of several projects a target has none, that a target's result is a
/// context in another project, or that DEPOT_BUILD_ID names one build. Errors of ChooseBuilderOf().
Result<std::vector<BakeGroup>> ChooseGroups(const std::vector<BakeTarget>& targets,
                                            const BakeOptions& options,
                                            job::Workshop& workshop,
                                            const Call& call);

}  // namespace depot::command
