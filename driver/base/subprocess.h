#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/cancel.h"

namespace depot {

/// What a finished child process left behind.
struct SubprocessOutput {
  int exit_code = 0;  ///< 128 + signal number when a signal ended it
  std::string standard_output;
  std::string standard_error;  ///< the last 16 KiB
};

/// Runs `argv` (argv[0] is looked up in PATH), feeds it `input`, and collects what it prints
/// (at most 1 MiB of standard output, more is an error). Killed (TERM, then KILL after a second)
/// when cancelled. A program that cannot be started is an Error (kNotFound when it does not exist);
/// a program that fails is not: look at exit_code. Blocks; any thread. `input` may hold a secret:
/// it travels through a pipe and is never logged. A child may end without reading it, so the
/// process must ignore SIGPIPE; and it must not ignore SIGCHLD, or no exit code is known.
Result<SubprocessOutput> RunSubprocess(const std::vector<std::string>& argv,
                                       std::string_view input,
                                       const Cancel& cancel);

}  // namespace depot
