#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/retries.h"
#include "driver/event/sink.h"
#include "plugin/job/cache_folders.h"
#include "plugin/job/cache_sources.h"
#include "plugin/job/platform_build.h"
#include "plugin/job/services.h"
#include "plugin/plan/caches.h"

namespace depot::job {

/// The caches of one target: where its steps are taken from, and where they are written when the
/// result is where it was asked for. One thread.
class Caches {
 public:
  /// First: opens folders and reads what the environment says. A source that is not there is no
  /// error; a folder that cannot be written to is one. `retries` is for Write().
  Result<> Prepare(const options::BuildOptions& options,
                   const Environment& environment,
                   RetryLimits retries);

  /// What was said and has no effect.
  const std::vector<std::string>& notices() const { return planned_.notices; }
  /// The folders, for the sessions.
  session::OfferedStores Stores() const { return folders_.Offered(); }
  /// The steps are written somewhere after the build, which then needs its inputs once more.
  bool WritesAfterwards() const { return !planned_.targets.empty(); }
  /// Where caches are pushed to, and the registries that may speak plain HTTP for that.
  std::vector<Reference> PushTargets() const;
  std::set<std::string> InsecureRegistries() const;

  /// Begins to ask for the registry caches that builders of these platforms may be given.
  void Ask(CacheSources& sources, const std::vector<Platform>& platforms) const;

  /// Puts sources, and the cache in the image, into the requests of all parts, and says which
  /// sources are of no use. Waits for the answers to Ask(). kUnsupported when a builder cannot
  /// write what is wanted.
  Result<> AddTo(std::vector<PlatformBuild>& parts, CacheSources& sources, EventSink& sink);

  /// The result is delivered: writes the caches, one after the other, each in a solve of its own,
  /// and says how long it took. A failure is a warning when it is to be ignored, otherwise the
  /// first one is returned, after all were tried; none undoes anything. Blocks, for each at most
  /// plan::CacheTime().
  std::optional<Error> Write(std::vector<PlatformBuild>& parts,
                             Services& services,
                             EventSink& sink,
                             const Cancel& cancel);

 private:
  std::vector<solve::CacheEntry> Usable(const PlatformBuild& part,
                                        bool several,
                                        std::map<std::string, std::string>& useless) const;
  Result<> WriteOne(const plan::CacheTarget& target,
                    std::vector<PlatformBuild>& parts,
                    Services& services,
                    const Cancel& cancel);
  Result<> Solve(PlatformBuild& part,
                 const solve::CacheEntry& target,
                 Services& services,
                 const Cancel& cancel);

  plan::Caches planned_;
  CacheFolders folders_;
  std::map<std::string, std::string> useless_;  ///< by plan::ShownCache(): why
  std::chrono::seconds time_{0};
  RetryLimits retries_;
};

}  // namespace depot::job
