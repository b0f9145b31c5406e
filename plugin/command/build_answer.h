#pragma once

#include <map>
#include <string>

#include "driver/base/result.h"
#include "plugin/job/target.h"
#include "plugin/options/build_options.h"
#include "plugin/progress/terminal.h"

namespace depot::command {

/// Whether a build prints something that a script reads: the image's ID for --quiet, the answer to
/// --call.
bool HasAnswer(const options::BuildOptions& options);

/// Prints what the frontend answered to --call, `metadata` of the result, to standard output; the
/// Error is the answer's own ("lint found something").
Result<> PrintCallAnswer(const options::BuildOptions& options,
                         const std::map<std::string, std::string>& metadata,
                         Terminal& terminal);

/// Prints it to standard output, if there is one; why there is no ID to print goes to standard
/// error.
Result<> PrintAnswer(const options::BuildOptions& options,
                     const job::Outcome& outcome,
                     Terminal& terminal);

}  // namespace depot::command
