#pragma once

#include <map>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"

namespace depot::options {

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
  kBuild,     ///< for this and the next eight `arguments` are what follows the command's words
  kLogin,
  kLogout,
  kInit,
  kListProjects,
  kListBuilds,
  kCacheReset,
  kPull,
  kInspect,
  kVersion,
  kHelp,      ///< print RootHelp(), or GroupHelp() of `arguments[0]` when there is one
  kComplete,  ///< shell completion: print ":0", no candidates
  kHook,      ///< docker asks for a hint after a command of its own: print nothing
};

/// How a command is written, one word or two: "build", "list builds". "" for those that have no
/// words.
std::string_view WordsOf(Command command);

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
/// Unknown flags, commands and second words of commands are kUsage and name the nearest known one;
/// so is a global --builder in front of anything but a build.
Result<Invocation> ParseInvocation(const std::vector<std::string>& argv,
                                   const Environment& environment);

/// A hint that names our commands as `docker depot COMMAND`, with the name that the user calls us
/// by. Where hints are made that name is not known.
std::string InWordsOf(const std::string& program, std::string_view hint);

/// What `help` prints; at most 80 columns.
std::string RootHelp(const std::string& program);

/// What a word that begins several commands ("list") prints by itself; the same width.
std::string GroupHelp(const std::string& program, const std::string& group);

}  // namespace depot::options
