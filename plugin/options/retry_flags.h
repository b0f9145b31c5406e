#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "driver/base/retries.h"
#include "driver/flags/flag_table.h"

namespace depot::options {

/// When a build has lost its builder, and how it goes on; unset = not given.
struct RetryOptions {
  std::optional<int> retries;                   ///< --retries
  std::optional<std::chrono::seconds> within;   ///< --retry-for
  std::optional<std::chrono::seconds> silence;  ///< --lost-after
  bool no_standby = false;                      ///< --no-standby
};

/// What counts: the flags, else DEPOT_RETRIES, DEPOT_RETRY_FOR and DEPOT_LOST_AFTER, else three
/// times within ten minutes, after 20 s of silence. kUsage for a variable that is no number or no
/// duration.
Result<RetryLimits> WantedRetries(const RetryOptions& options, const Environment& environment);

/// Whether a second connection holds long steps: unless --no-standby or DEPOT_NO_STANDBY say no.
bool WantsStandby(const RetryOptions& options, const Environment& environment);

/// --retries, --retry-for, --lost-after and --no-standby; `into` is written into and must outlive
/// them.
std::vector<flags::Flag> RetryFlags(RetryOptions& into);

}  // namespace depot::options
