#pragma once

#include <memory>
#include <string>
#include <vector>

#include "driver/builder/builder.h"
#include "driver/flags/flag_table.h"
#include "plugin/choice/choose.h"
#include "plugin/command/command.h"
#include "plugin/job/workshop.h"

namespace depot::command {

/// --builder, for a command that is about one.
flags::Flag BuilderFlag(std::string& builder);

/// Whether the environment names a remote builder: DEPOT_BUILDER, or the Depot API by a token or a
/// project. Builds go there, whatever instance of docker buildx is in use.
bool NamesRemote(const Call& call);

/// As ChooseNamed(). A name that is unknown is no error while NamesRemote(): a script made it with
/// `create`, which made nothing; `sink` hears that builds go to the remote one.
Result<choice::Choice> ChooseLenient(const std::string& name,
                                     job::Workshop& workshop,
                                     EventSink& sink,
                                     const Call& call);

/// One machine of a builder, on lease until this goes.
struct LeasedBuilder {
  std::string name;            ///< for people
  std::string buildx_builder;  ///< what docker buildx knows it by, as in refs of builds
  std::string buildx_node;
  std::unique_ptr<builder::Builder> builder;
};

/// Gets hold of all machines of the builder that a build with `--builder NAME` would have. Empty
/// when the Depot API would hand them out: it does so for builds alone. Blocks.
Result<std::vector<LeasedBuilder>> LeaseBuilders(const std::string& name,
                                                 job::Workshop& workshop,
                                                 EventSink& sink,
                                                 const Call& call);

}  // namespace depot::command
