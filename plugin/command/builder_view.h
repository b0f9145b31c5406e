#pragma once

#include <string>
#include <vector>

#include "driver/base/json.h"
#include "driver/builder/workers.h"
#include "plugin/choice/choose.h"
#include "plugin/command/command.h"
#include "plugin/job/workshop.h"

namespace depot::command {

/// A machine of a builder, as `ls` and `inspect` show it.
struct NodeView {
  std::string name;
  std::string endpoint;  ///< as docker buildx has it: an address, or the Engine's docker context
  std::string status;    ///< "running", "inactive"; "on demand" for what the Depot API hands out
  builder::WorkerFacts facts;  ///< of one that runs
  /// What its instance file says of it (DriverOpts, Flags, Files); null without one.
  Json written{};
};

/// A builder, as `ls` and `inspect` show it.
struct BuilderView {
  std::string name;
  std::string driver;  ///< "docker", "remote", "docker-container", "kubernetes", "depot"
  std::string error;   ///< it cannot be used, and why; "" = it can
  std::vector<NodeView> nodes;
  std::string last_activity;  ///< as docker buildx wrote it down, RFC 3339; "" = it did not
};

/// How a builder is looked at.
enum class Look {
  kQuick,    ///< a refusal is an answer, and so is silence for 5 s
  kOnce,     ///< a refusal is an answer, silence gets 20 s
  kPatient,  ///< as for a build
};

/// The builder that a build with `--builder NAME` would have; "" = one without. ReadDocker() has
/// succeeded.
Result<choice::Choice> ChooseNamed(const std::string& name,
                                   job::Workshop& workshop,
                                   const Call& call);

/// Asks all machines of `choices`, all side by side; one that does not answer is inactive, and
/// `sink` hears why, and meanwhile who is waited for. What the Depot API would hand out is not
/// asked for. A view for each choice; blocks.
std::vector<BuilderView> LookAtBuilders(const std::vector<const choice::Choice*>& choices,
                                        Look look,
                                        job::Workshop& workshop,
                                        EventSink& sink,
                                        const Cancel& cancel);

/// "linux/amd64, linux/386"; with `most` > 0 groups and leaves out as docker buildx ls does.
std::string PlatformsText(const std::vector<Platform>& platforms, std::size_t most);

}  // namespace depot::command
