#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "driver/builder/features.h"
#include "driver/oci/reference.h"
#include "driver/solve/request.h"
#include "plugin/options/build_options.h"

namespace depot::plan {

/// A cache that is written after the build, by a solve of its own.
struct CacheTarget {
  solve::CacheEntry entry;
  bool ignore_error = false;  ///< a failure is a warning
};

/// Where steps are taken from and where they go.
struct Caches {
  std::vector<solve::CacheEntry> sources;
  std::vector<CacheTarget> targets;
  bool in_image = false;             ///< type=inline: part of the image, and of its solve
  std::vector<std::string> notices;  ///< for the user
};

/// --cache-from, --cache-to and --build-arg BUILDKIT_INLINE_CACHE=1, with what `environment` has
/// for them, as buildx fills it in (util/buildflags/cache.go, build/opt.go): ACTIONS_* for gha,
/// AWS_ACCESS_KEY_ID and its like for s3. What cannot work without is left out with a notice; pure.
Caches PlanCaches(const options::BuildOptions& options, const Environment& environment);

/// kUnsupported when the builder cannot write such caches: an Engine with the classic image store.
Result<> CheckCaches(const Caches& caches, const builder::Features& features);

/// What a cache is called for people: "registry.example/app:cache", "the folder cache"; never with
/// a credential.
std::string ShownCache(const solve::CacheEntry& entry);

/// The name in a registry; nullopt when it is no registry cache.
std::optional<Reference> CacheReference(const solve::CacheEntry& entry);

/// The same cache under a name of one platform's own, "app:cache-linux-arm64": several builders
/// write at the same time, and of one name only the last writer's would be left. Of a local cache
/// it is the tag in the index. Inline caches and names with a digest stay.
solve::CacheEntry CacheOfPlatform(const solve::CacheEntry& entry, const Platform& platform);

/// The solve that writes `target` when `built` has ended: the same steps, which the builder has in
/// its own cache now, and nothing else. --no-cache is over, attestations are not made again, and
/// the builder keeps no record of it.
solve::BuildRequest CacheRequest(const solve::BuildRequest& built, const solve::CacheEntry& target);

/// How long writing one cache may last: DEPOT_CACHE_TIMEOUT in seconds, else 10 minutes. kInvalid
/// for what is no such number.
Result<std::chrono::seconds> CacheTime(const Environment& environment);

}  // namespace depot::plan
