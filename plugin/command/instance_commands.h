#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `create`: with the driver remote, writes an instance into docker buildx's own files (`--use`,
/// `--append`, `--leave`, `--platform`, `--driver-opt`, `--bootstrap`); prints its name. Other
/// drivers would start BuildKit in a container: with a remote builder that is pointless, which is
/// said; without one it is an error.
Result<> RunCreate(const Call& call);

/// `use NAME`: the builder that builds without `--builder` go to, as docker buildx keeps it.
Result<> RunUse(const Call& call);

/// `rm NAME...`: takes instances out of docker buildx's files. What runs is left running, and said.
Result<> RunRm(const Call& call);

/// `install`, `uninstall`: what older dockers needed to call docker buildx for `docker build`;
/// nothing is done, which is said.
Result<> RunInstall(const Call& call);
Result<> RunUninstall(const Call& call);

/// `stop [NAME]`: a remote builder is not ours to stop, which is said.
Result<> RunStop(const Call& call);

}  // namespace depot::command
