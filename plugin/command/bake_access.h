#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "plugin/bake/overrides.h"
#include "plugin/bake/resolve.h"
#include "plugin/command/bake_run.h"
#include "plugin/command/command.h"

namespace depot::command {

/// What --allow gives to a definition: devices=true in a local output (README, "Other people's
/// sources").
inline constexpr std::string_view kLocalDevices = "depot.local.devices";

/// One thing that a definition wants to do and nobody has allowed.
struct Need {
  std::string flag;      ///< the --allow that gives it: "fs.read=/etc"
  std::string target;    ///< the first that wants it
  bool is_file = false;  ///< of this machine's files or agents
};

/// What the targets want (buildx bake/entitlements.go): the builder's network or privileges, an
/// agent, and files outside of the working directory, with symlinks followed. What the command line
/// said itself, by `allow` or by `overrides`, is left out. `targets` are those of `resolution` as
/// they would be built: what counts is what the build reads, however the definition words it.
std::vector<Need> MissingAccess(const std::vector<BakeTarget>& targets,
                                const bake::Resolution& resolution,
                                const bake::Overrides& overrides,
                                const std::vector<std::string>& allow);

/// Folders and files outside of the working directory that a definition may read already while it
/// is evaluated: the git checkout around it, and what `allow` and BUILDX_BAKE_ENTITLEMENTS_FS say.
std::vector<std::string> ReadablePaths(const std::vector<std::string>& allow,
                                       const Environment& environment);

/// Says what is missing and asks whether it may be; without somebody to ask, or without a yes, it
/// is kDenied. BUILDX_BAKE_ENTITLEMENTS_FS=0, and of a remote definition
/// BAKE_ALLOW_REMOTE_FS_ACCESS=1: what is about files is said alone.
Result<> AskForAccess(const std::vector<Need>& needs,
                      bool may_ask,
                      bool is_remote,
                      const Call& call);

}  // namespace depot::command
