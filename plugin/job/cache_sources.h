#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "driver/base/task_group.h"
#include "driver/oci/reference.h"
#include "driver/registry/repository.h"
#include "driver/solve/request.h"

namespace depot::job {

/// Asks registries, while the builders are being acquired, which caches to build from are there: a
/// builder makes an error of each that is not, and waits for ever for a registry that says nothing.
/// Its calls come from one thread.
class CacheSources {
 public:
  /// `registries` outlives it.
  CacheSources(registry::Registries& registries, const Cancel& cancel)
      : registries_(registries), tasks_(cancel) {}

  /// Asks for each registry cache, side by side, once, for at most 5 s. Returns at once.
  void Start(const std::vector<solve::CacheEntry>& sources);

  /// Waits for the answers: which are of no use, by plan::ShownCache(), and why. There is none of
  /// that name, nobody may read it, or the registry says nothing. One that cannot be reached from
  /// here is left to the builder.
  std::map<std::string, std::string> Await();

 private:
  void Ask(const std::string& shown, const Reference& reference, const Cancel& stop);

  registry::Registries& registries_;
  std::mutex mutex_;
  std::map<std::string, std::string> useless_;
  TaskGroup tasks_;  // last: its threads use the rest
};

}  // namespace depot::job
