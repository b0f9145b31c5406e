#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "driver/flags/flag_table.h"

namespace depot::options {

/// Which times a builder is told of the files of a context.
enum class ContextTimes {
  kContent,  ///< ones that stand for their content
  kFile,     ///< their own
};

/// How the files of local contexts are sent.
struct ContextOptions {
  std::optional<ContextTimes> times;  ///< --context-times; unset = not given
  bool git_modes = false;             ///< --normalize-modes=git
  bool packed = true;  ///< --context-compression: on links that are slower than packing
};

/// kUsage: it is no word for times.
Result<ContextTimes> ParseContextTimes(std::string_view name, std::string_view value);

/// --context-times, else DEPOT_CONTEXT_TIMES; nullopt when neither says anything. kUsage as above.
Result<std::optional<ContextTimes>> WantedContextTimes(const ContextOptions& options,
                                                       const Environment& environment);

/// --context-times, --context-compression and --normalize-modes.
std::vector<flags::Flag> ContextFlags(ContextOptions& into);

}  // namespace depot::options
