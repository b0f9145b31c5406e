#pragma once

#include <string>
#include <vector>

#include "driver/base/result.h"
#include "plugin/bake/compose.h"
#include "plugin/command/bake_flags.h"
#include "plugin/command/command.h"

namespace depot::command {

/// The URLs that stand before the targets of `bake`.
struct RemoteArguments {
  std::string url;                 ///< of the definition; "" = it is on this machine
  bool has_folders = false;        ///< there are files beside it: a repository, an archive
  std::string context = "cwd://";  ///< what the definition sees as BAKE_CMD_CONTEXT
};

/// Takes them out of `targets`.
RemoteArguments TakeRemoteArguments(std::vector<std::string>& targets);

/// Further flags of `build` for a target of such a definition: what opens its repository.
std::vector<std::string> RemoteWords(const RemoteArguments& remote, const Environment& environment);

/// The files of a definition in a git repository or an archive, which a builder fetches, or the one
/// that lies at a URL, which comes to us; behind them those that `-f cwd://FILE` names here. Shows
/// progress. Blocks.
Result<std::vector<bake::DefinitionFile>> FetchDefinition(const RemoteArguments& remote,
                                                          const BakeOptions& line,
                                                          const Call& call);

}  // namespace depot::command
