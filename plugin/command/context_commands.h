#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// What a builder may ask for of a local build context, found without a builder: all that the
/// ignore file does not keep out. A build takes of it what the COPY and ADD lines name.
///
/// `context ls`: every file, with its size, and the sum.
Result<> RunContextLs(const Call& call);

/// `context why PATH...`: whether each is sent, and the line of the ignore file that decides it.
/// kNotFound, after all lines, when one of them does not exist.
Result<> RunContextWhy(const Call& call);

/// `context top [N]`: the N (10) largest files and folders. A folder that is hardly more than one
/// thing in it is left out: that thing says more.
Result<> RunContextTop(const Call& call);

}  // namespace depot::command
