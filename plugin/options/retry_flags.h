#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "driver/base/retries.h"
#include "driver/flags/flag_table.h"

namespace depot::options {

/// How a build goes on that lost its builder; unset = not given.
struct RetryOptions {
  std::optional<int> retries;                  ///< --retries
  std::optional<std::chrono::seconds> within;  ///< --retry-for
};

/// What counts: the flags, else DEPOT_RETRIES and DEPOT_RETRY_FOR, else three times within ten
/// minutes. kUsage for a variable that is no number or no duration.
Result<RetryLimits> WantedRetries(const RetryOptions& options, const Environment& environment);

/// --retries and --retry-for; `into` is written into and must outlive them.
std::vector<flags::Flag> RetryFlags(RetryOptions& into);

}  // namespace depot::options
