#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "driver/flags/flag_table.h"

namespace depot::options {

/// One place that cached steps come from or go to. Its attributes may hold credentials: they are in
/// no message.
struct CacheEntry {
  std::string
      type;  ///< registry, local, inline, gha, s3, azblob; of a source also what we know not
  std::map<std::string, std::string> attrs;  ///< all but type and ignore-error
  bool ignore_error = false;                 ///< of a target: a failure is a warning
};

/// --cache-from and --cache-to.
struct CacheOptions {
  std::vector<CacheEntry> from;
  std::vector<CacheEntry> to;
  std::vector<std::string> notices;  ///< what was said and has no effect, or may be a mistake
};

/// One value of --cache-from: image names (registry caches, separated by commas), or CSV with
/// `type` and its attributes (buildx util/buildflags/cache.go). An empty value, an unknown type or
/// attribute is a notice, as buildx takes them too. What a type needs and has not is kUsage.
Result<> AddCacheFrom(std::string_view value, CacheOptions& into);

/// The same for --cache-to, where an unknown type is kUsage: BuildKit would say so after the build.
Result<> AddCacheTo(std::string_view value, CacheOptions& into);

/// The rows of both for the table of flags; `options` must outlive them.
std::vector<flags::Flag> CacheFlags(CacheOptions& options);

}  // namespace depot::options
