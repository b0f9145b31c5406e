#pragma once

#include <string>

#include "driver/base/result.h"
#include "plugin/choice/choose.h"
#include "plugin/command/command.h"
#include "plugin/job/workshop.h"
#include "plugin/options/build_options.h"

/// What `build` and `bake` have in common.
namespace depot::command {

/// The builders of a build, for the header of its display.
std::string TitleOf(const choice::Choice& choice);

/// Call::globals, and what -D and --config behind the command say.
options::GlobalFlags GlobalsOf(const options::BuildOptions& options, const Call& call);

/// ChooseBuilder() for what the user said, where somebody at the terminal may log in, and
/// DEPOT_LOAD or docker's own `docker build` make loading the default.
Result<choice::Choice> ChooseBuilderOf(const options::BuildOptions& options,
                                       job::Workshop& workshop,
                                       const Call& call);

}  // namespace depot::command
