#include "plugin/job/cache_sources.h"

#include <set>

#include "driver/base/text.h"
#include "plugin/plan/caches.h"

namespace depot::job {
namespace {

constexpr std::chrono::seconds kCachePatience(5);

}  // namespace

void CacheSources::Start(const std::vector<solve::CacheEntry>& sources) {
  std::set<std::string> asked;
  for (const solve::CacheEntry& source : sources) {
    const auto reference = plan::CacheReference(source);
    const std::string shown = plan::ShownCache(source);
    if (!reference || !asked.insert(shown).second) continue;
    tasks_.Start("cache-source", [this, shown, reference](const Cancel& stop) -> Result<> {
      Ask(shown, *reference, stop);
      return {};
    });
  }
}

std::map<std::string, std::string> CacheSources::Await() {
  (void)tasks_.Wait();
  std::lock_guard lock(mutex_);
  return useless_;
}

void CacheSources::Ask(const std::string& shown, const Reference& reference, const Cancel& stop) {
  const std::string name = reference.digest.empty() ? reference.tag : reference.digest;
  const Cancel bounded =
      stop.WithTimeout(kCachePatience, Cat("no answer within ", kCachePatience.count(), " s"));
  auto found = registries_.Open(reference, registry::Access::kPull)->CheckPull(name, bounded);
  if (found) return;
  const ErrorCode code = found.error().code();
  std::string why;
  if (code == ErrorCode::kNotFound) why = "is not there (yet)";
  if (code == ErrorCode::kDenied) why = Cat("may not be read (", found.error().message(), ")");
  if (code == ErrorCode::kTimeout) why = Cat("cannot be read (", found.error().message(), ")");
  std::lock_guard lock(mutex_);
  if (!why.empty()) useless_.emplace(shown, std::move(why));
}

}  // namespace depot::job
