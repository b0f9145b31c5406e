#pragma once

#include <string>
#include <vector>

#include "driver/base/result.h"

namespace depot::command {

/// A way in which docker comes to call us, in the folder of the user's config.json; see
/// configure_docker_command.h. Every function gives the lines that say what was done, or, when
/// `dry_run`, what would be; a thing that is so already is a line too. kExists: something that is
/// not ours stands there, and hint says how to go on.
struct DockerFolder {
  std::string path;     ///< of config.json and cli-plugins; need not exist
  std::string program;  ///< this program's file: absolute and real
  bool dry_run = false;
};

using Lines = std::vector<std::string>;

/// The alias `builder` is `depot`; and docker finds a plugin of that name, or gets a link to it.
Result<Lines> AddAlias(const DockerFolder& folder);
Result<Lines> RemoveAlias(const DockerFolder& folder);

/// The plugin docker-buildx is a link to this program.
Result<Lines> AddBuildxLink(const DockerFolder& folder);
Result<Lines> RemoveBuildxLink(const DockerFolder& folder);

}  // namespace depot::command
