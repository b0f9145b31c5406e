#pragma once

#include <map>
#include <string>
#include <vector>

#include "driver/base/result.h"

namespace depot::options {

/// A snapshot of environment variables; taken once in main.
using Environment = std::map<std::string, std::string>;

/// The value of a variable; "" when it is unset.
std::string Variable(const Environment& environment, const std::string& name);

/// The flags of `docker` itself, which a plugin must understand before and after its own name
/// (docker/cli cli/flags/options.go); empty = not given.
struct GlobalFlags {
  std::string config;  ///< directory of config.json
  std::string context;
  std::string host;
  std::string log_level;
  bool debug = false;
  bool tls = false;
  bool tls_verify = false;
  std::string tls_ca;  ///< paths
  std::string tls_cert;
  std::string tls_key;
};

/// What to do.
enum class Command {
  kMetadata,  ///< print the plugin metadata
  kBuild,     ///< `arguments` are what follows `build`
  kVersion,
  kHelp,      ///< print RootHelp()
  kComplete,  ///< shell completion: print ":0", no candidates
  kHook,      ///< docker asks for a hint after a command of its own: print nothing
};

/// What argv means.
struct Invocation {
  Command command = Command::kHelp;
  GlobalFlags globals;
  std::vector<std::string> arguments;
  std::string program;  ///< how the user calls us: "docker depot", "docker-depot", "depot"
};

/// Reads argv by the rules of docker's plugin protocol (docker/cli cli-plugins/plugin): started by
/// docker (DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND is set) it is [global flags] depot [global flags]
/// COMMAND ..., else without the word "depot". `docker build` with the alias `builder=depot`
/// arrives as `depot build`. The metadata request is recognised first and needs nothing else.
/// Unknown flags and commands are kUsage and name the nearest known one.
Result<Invocation> ParseInvocation(const std::vector<std::string>& argv,
                                   const Environment& environment);

/// What `help` prints; at most 80 columns.
std::string RootHelp(const std::string& program);

}  // namespace depot::options
