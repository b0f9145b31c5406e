#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "plugin/command/command.h"
#include "plugin/options/global_flags.h"

namespace depot::command {

/// What docker or the user wants of the program.
enum class Request {
  kCommand,             ///< run Invocation::command
  kMetadata,            ///< print the plugin metadata
  kComplete,            ///< print what Complete() says to the arguments
  kCompleteNamesAlone,  ///< the same without descriptions
  kHook,                ///< docker asks for a hint after a command of its own: print nothing
};

/// What argv means.
struct Invocation {
  Request request = Request::kCommand;
  const Command* command = nullptr;  ///< of Commands(); set when that is the request
  options::GlobalFlags globals;
  std::vector<std::string> arguments;  ///< what follows the command's words
  std::string program;                 ///< see Call
  bool is_docker_build = false;        ///< see Call
  bool is_buildx = false;              ///< we run under the name docker-buildx
};

/// Reads argv by the rules of docker's plugin protocol (docker/cli cli-plugins/plugin): started by
/// docker (DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND is set) it is [global flags] depot [global flags]
/// COMMAND ..., else without the word "depot". `docker build` with the alias `builder=depot`
/// arrives as `depot build`. The metadata request is recognised first and needs nothing else. What
/// asks for help in any form is the command that prints it. With the alias, or under the name
/// docker-buildx, `docker build` and `docker depot build` arrive alike: `docker` is the command
/// line of the docker that started us, which tells them apart; empty = not known. Unknown flags,
/// commands and second words of commands are kUsage and name the nearest known one; so is a global
/// --builder in front of a command that has no such flag.
Result<Invocation> ParseInvocation(const std::vector<std::string>& argv,
                                   const Environment& environment,
                                   const std::vector<std::string>& docker);

/// A hint that names our commands as `docker depot COMMAND`, with the name that the user calls us
/// by. Where hints are made that name is not known.
std::string InWordsOf(const std::string& program, std::string_view hint);

/// Docker's own flags, without their setters.
std::vector<flags::Flag> GlobalFlags();

}  // namespace depot::command
