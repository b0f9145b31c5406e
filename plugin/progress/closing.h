#pragma once

#include <string>

#include "driver/base/error.h"
#include "plugin/progress/trace.h"

namespace depot {

/// The last lines of each step that failed, between rules; empty when none did.
std::string FailedSteps(const Trace& trace);

/// Whether a status of a step that ended says what became of the result: the name that it got, and
/// where it was pushed to by which digest. (BuildKit exporter/containerimage/export.go)
bool IsResult(const TraceStatus& status);

/// "Build finished after 3.2s"; null = it succeeded.
std::string HowLong(const Error* error, Elapsed took);

/// What one wants to know of a build that ended, a line each, indented: the share of cached steps,
/// the slowest steps, the bytes of the context, of a result on this machine and of what was loaded,
/// what was pushed with its digest, the lines with warnings; empty for a build of less than two
/// steps.
std::string Summary(const Trace& trace);

/// The list of the warnings at the end of a build; empty when there were none. `expand` adds
/// details, where to read more, and the lines of the Dockerfile.
std::string WarningSummary(const Trace& trace, bool expand);

}  // namespace depot
