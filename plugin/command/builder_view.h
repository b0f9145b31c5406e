#pragma once

#include <string>
#include <vector>

#include "driver/builder/workers.h"
#include "plugin/choice/choose.h"
#include "plugin/command/command.h"
#include "plugin/job/workshop.h"

namespace depot::command {

/// A machine of a builder, as `ls` and `inspect` show it.
struct NodeView {
  std::string name;
  std::string endpoint;
  std::string status;  ///< "running", "inactive"; "on demand" for what the Depot API hands out
  builder::WorkerFacts facts;  ///< of one that runs
};

/// A builder, as `ls` and `inspect` show it.
struct BuilderView {
  std::string name;
  std::string driver;  ///< "docker", "remote", "docker-container", "kubernetes", "depot"
  std::string error;   ///< it cannot be used, and why; "" = it can
  std::vector<NodeView> nodes;
};

/// The builder that a build with `--builder NAME` would have; "" = one without. ReadDocker() has
/// succeeded.
Result<choice::Choice> ChooseNamed(const std::string& name,
                                   job::Workshop& workshop,
                                   const Call& call);

/// Asks all machines of a builder, side by side, each for at most 20 s; one that does not answer is
/// inactive, and `sink` hears why. What the Depot API would hand out is not asked for.
BuilderView LookAtBuilder(const choice::Choice& choice, EventSink& sink, const Cancel& cancel);

/// "linux/amd64, linux/386"; with `most` > 0 groups and leaves out as docker buildx ls does.
std::string PlatformsText(const std::vector<Platform>& platforms, std::size_t most);

}  // namespace depot::command
