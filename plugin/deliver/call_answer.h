#pragma once

#include <map>
#include <optional>
#include <string>

#include "driver/base/result.h"
#include "plugin/options/call_flags.h"

/// What a frontend answered to --call, for people and for programs.
namespace depot::deliver {

/// An answer as it is shown.
struct CallAnswer {
  std::string text;  ///< for standard output: whole lines, harmless for a terminal; may be empty
  /// What the frontend found so wrong that the command fails: an error in the Dockerfile, or a
  /// status that is not 0 and was not to be ignored.
  std::optional<Error> failure;
  std::size_t warnings = 0;  ///< of lint
  bool broken = false;       ///< of lint: the Dockerfile cannot be built at all
};

/// Shows the metadata of a frontend's answer as docker buildx does (commands/build.go,
/// printResult): its JSON or its text, around which lint says how many warnings there are, and
/// which file they are in: `dockerfile`, as the user would name it; "" = as the frontend does.
/// Pure. kInvalid when the builder sent nothing that can be shown.
Result<CallAnswer> ShowAnswer(const options::FrontendCall& call,
                              const std::map<std::string, std::string>& metadata,
                              const std::string& dockerfile);

}  // namespace depot::deliver
