#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "driver/flags/flag_table.h"

namespace depot::options {

/// What the frontend is asked instead of being told to build: --call, --check, --print.
struct FrontendCall {
  /// The request's name without "frontend." in front of it: lint, outline, targets,
  /// subrequests.describe, or another one that a frontend has; "" = it is a build.
  std::string method;
  bool json = false;           ///< the answer as the frontend's JSON, not as text for people
  bool ignore_status = false;  ///< the status in the answer is not the exit code
};

/// METHOD[,format=text|json][,ignorestatus=BOOL], in any order; `check` is lint, `build` is no call
/// (buildx util/buildflags/callfunc.go). `flag` begins the message of an error, kUsage.
Result<FrontendCall> ParseCall(std::string_view flag, std::string_view value);

/// From which on a finding of --lint ends the build: --lint-fail-on.
enum class LintFailure { kError, kWarning, kNone };

/// --lint: the Dockerfile is checked before it is built.
struct Lint {
  bool wanted = false;
  LintFailure fails_on = LintFailure::kError;
};

/// info, warn, error or none, in any case; the frontend's checks know no information below a
/// warning, so that info and warn are one. kUsage for any other word.
Result<LintFailure> ParseLintFailure(const std::string& value);

/// The flags of all this; both are written into and must outlive them.
std::vector<flags::Flag> CallFlags(FrontendCall& call, Lint& lint);

}  // namespace depot::options
