#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/builder/builder.h"

namespace depot::builder {

/// A record of a builder's cache; a value. Times are seconds and nanoseconds since 1970.
struct CacheRecord {
  std::string id;
  std::vector<std::string> parents;
  std::string description;
  std::string type;       ///< "regular", "source.local", ...
  std::int64_t size = 0;  ///< bytes
  std::int64_t uses = 0;
  std::int64_t created_s = 0;
  std::int32_t created_ns = 0;
  std::int64_t used_s = 0;  ///< 0 = never
  bool changing = false;    ///< a layer that may still be written
  bool in_use = false;
  bool shared = false;
};

/// What is to be removed from a cache (Control.Prune); 0 = no such limit.
struct PruneOrder {
  std::vector<std::string> filters;
  bool all = false;  ///< also what the daemon and frontends keep for themselves
  std::int64_t keep_ns = 0;
  std::int64_t reserved_bytes = 0;
  std::int64_t most_bytes = 0;
  std::int64_t free_bytes = 0;
};

/// The records of the cache that fit `filters` (Control.DiskUsage). Blocks.
Result<std::vector<CacheRecord>> AskCacheUsage(Builder& builder,
                                               const std::vector<std::string>& filters,
                                               const Cancel& cancel);

/// Removes; `removed` gets each record that is gone, on this thread. Blocks.
Result<> PruneCache(Builder& builder,
                    const PruneOrder& order,
                    const std::function<void(const CacheRecord&)>& removed,
                    const Cancel& cancel);

}  // namespace depot::builder
