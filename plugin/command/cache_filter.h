#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "driver/base/result.h"

namespace depot::command {

/// What --filter of du and prune means to a builder (buildx commands/prune.go).
struct CacheFilter {
  std::vector<std::string> filters;  ///< BuildKit's words, all of which must hold
  std::int64_t keep_ns = 0;          ///< `until`: what was used within that time stays
};

/// Reads values of the form KEY=VALUE, KEY!=VALUE, KEY~=VALUE or KEY. kUsage for a key that comes
/// twice, and for an `until` or `unused-for` that is no duration such as 24h.
Result<CacheFilter> ParseCacheFilter(const std::vector<std::string>& values);

/// Bytes as Docker reads them ("10GB", "512mb", "1024"; units are powers of 1024); kUsage
/// otherwise.
Result<std::int64_t> ParseBytes(const std::string& text);

}  // namespace depot::command
