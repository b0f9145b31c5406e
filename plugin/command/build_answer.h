#pragma once

#include "driver/base/result.h"
#include "plugin/job/target.h"
#include "plugin/options/build_options.h"
#include "plugin/progress/terminal.h"

namespace depot::command {

/// Whether a build prints something that a script reads: the image's ID for --quiet, the answer to
/// --call.
bool HasAnswer(const options::BuildOptions& options);

/// Prints it to standard output, if there is one; why there is no ID to print goes to standard
/// error. The Error of --call's answer is the build's own ("lint found something").
Result<> PrintAnswer(const options::BuildOptions& options,
                     const job::Outcome& outcome,
                     Terminal& terminal);

}  // namespace depot::command
