#include "pool/fleet/fleet.h"

#include <algorithm>
#include <utility>

#include "pool/fleet/source.h"

namespace depot::fleet {
namespace {

constexpr std::chrono::milliseconds kLookEvery(250);

class WatchedFleet final : public Fleet {
 public:
  explicit WatchedFleet(Surroundings surroundings) : surroundings_(std::move(surroundings)) {
    thread_.Start("fleet", [this](const Cancel& stop) -> Result<> {
      while (stop.SleepFor(kLookEvery))
        Look();
      return {};
    });
  }

  void Configure(const std::vector<settings::BuilderSettings>& builders) override {
    // Their threads are joined without the lock.
    std::vector<std::unique_ptr<Source>> gone;
    {
      std::lock_guard lock(mutex_);
      gone = std::exchange(sources_, {});
      for (const settings::BuilderSettings& builder : builders) {
        auto same = std::find_if(gone.begin(), gone.end(), [&](const auto& source) {
          return source != nullptr && source->settings() == builder;
        });
        sources_.push_back(same != gone.end() ? std::move(*same)
                                              : std::make_unique<Source>(builder, surroundings_));
      }
    }
    Look();
  }

  std::vector<FleetBuilder> Builders() const override {
    std::lock_guard lock(mutex_);
    return builders_;
  }

 private:
  /// One at a time, so that nobody hears of an older state after a newer one.
  void Look() {
    std::lock_guard turn(looking_);
    std::vector<FleetBuilder> now;
    {
      std::lock_guard lock(mutex_);
      std::set<std::string> taken;
      for (const auto& source : sources_) {
        source->Follow();
        std::vector<FleetBuilder> its = source->Look(taken);
        std::move(its.begin(), its.end(), std::back_inserter(now));
      }
      if (now == builders_ && told_) return;
      builders_ = now;
    }
    told_ = true;
    surroundings_.changed(now);
  }

  const Surroundings surroundings_;
  std::mutex looking_;
  bool told_ = false;  ///< guarded by looking_
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<FleetBuilder> builders_;
  TaskGroup thread_{Cancel::Never()};  // last: joins before the rest goes
};

}  // namespace

std::unique_ptr<Fleet> MakeFleet(Surroundings surroundings) {
  return std::make_unique<WatchedFleet>(std::move(surroundings));
}

}  // namespace depot::fleet
