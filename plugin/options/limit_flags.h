#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/result.h"
#include "driver/flags/flag_table.h"

namespace depot::options {

/// What the steps of a build may use.
struct StepLimits {
  std::map<std::string, std::string> ulimits;  ///< by name: SOFT:HARD
  std::int64_t shm_size = 0;                   ///< bytes of /dev/shm; 0 = the builder's default
  std::string cgroup_parent;
  /// --resource and its old names (--memory, --cpu-quota, ...): by the frontend's attribute
  /// (BuildKit frontend/dockerui/config.go), values as it reads them.
  std::map<std::string, std::string> resources;
};

/// A size in bytes: a number, which may have a fraction, and b, k, m, g, t or p with nothing, b or
/// ib behind it, each 1024 times the last (docker/go-units size.go). kUsage without the flag.
Result<std::int64_t> ParseSize(std::string_view text);

/// NAME=SOFT[:HARD]; -1 is without a limit (docker/go-units ulimit.go). kUsage without the flag.
Result<std::pair<std::string, std::string>> ParseUlimit(std::string_view text);

/// Puts KEY=VALUE of --resource into `limits` (buildx build/utils.go). kUsage names the key.
Result<> AddResource(std::string_view text, StepLimits& limits);

/// The flags of all this; `limits` is written into and must outlive them.
std::vector<flags::Flag> LimitFlags(StepLimits& limits);

}  // namespace depot::options
