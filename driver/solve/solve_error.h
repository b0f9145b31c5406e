#pragma once

#include "driver/base/error.h"
#include "driver/rpc/status.h"
#include "driver/solve/step_names.h"

namespace depot::solve {

/// What a failed solve tells the user: the daemon's text without the parts that only its authors
/// understand (they stay in original()), the Dockerfile excerpt, the step and its exit code from
/// the status details (moby/buildkit solver/errdefs, util/grpcerrors: Any values that are JSON),
/// and what to do where FindCause() knows it. Never kUnavailable, which is a lost builder's.
Error SolveError(const rpc::Status& status, const StepNames& names);

}  // namespace depot::solve
