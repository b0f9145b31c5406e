#pragma once

#include "driver/base/error.h"
#include "driver/rpc/status.h"

namespace depot::solve {

/// What a failed solve tells the user: the daemon's text without the parts that only its authors
/// understand, the Dockerfile excerpt from the status details (moby/buildkit solver/errdefs,
/// util/grpcerrors: Any values that are JSON), and what to do where we know it. Never kUnavailable,
/// which is a lost builder's.
Error SolveError(const rpc::Status& status);

}  // namespace depot::solve
