#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "driver/oci/platform.h"

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

/// --progress. kAuto is chosen when the flag is not given, and leaves the choice to the display.
enum class ProgressMode { kAuto, kPlain, kQuiet };

/// What the user said on the command line of `build`, by flag. Nothing here was looked up: no file
/// was read, no variable consulted.
struct BuildOptions {
  std::string context;  ///< PATH, URL or "-"
  std::string file;     ///< -f; "" = default, "-" = standard input
  std::vector<std::string> tags;
  std::string target;
  /// KEY, and its value; nullopt = take it from the environment.
  std::vector<std::pair<std::string, std::optional<std::string>>> build_args;
  std::vector<std::pair<std::string, std::string>> labels;
  std::optional<Platform> platform;
  bool no_cache = false;
  bool pull = false;
  std::vector<SecretSource> secrets;
  std::vector<Output> outputs;
  bool push = false;
  bool load = false;
  bool quiet = false;
  std::string iidfile;
  std::string metadata_file;
  ProgressMode progress = ProgressMode::kAuto;
  std::string builder;  ///< --builder; "" = not given
  std::vector<std::string> allow;
  std::string network;  ///< "", "default", "none", "host"
  /// Name, and address: IPv4, IPv6 without brackets, or the word host-gateway.
  std::vector<std::pair<std::string, std::string>> add_hosts;
};

}  // namespace depot::options
