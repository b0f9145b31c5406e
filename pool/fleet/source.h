#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "pool/fleet/fleet.h"
#include "pool/fleet/lookup.h"

namespace depot::fleet {

/// One entry of `builders` in the settings: a builder, or a name that DNS has builders for. Guarded
/// by the fleet, but for its own threads.
class Source {
 public:
  Source(settings::BuilderSettings settings, const Surroundings& surroundings);

  const settings::BuilderSettings& settings() const { return settings_; }

  /// Takes up what DNS has said, and forgets who is gone.
  void Follow();

  /// Its builders as they are; a name that is in `taken` is refused, and others are added to it.
  std::vector<FleetBuilder> Look(std::set<std::string>& taken);

 private:
  struct Place {
    std::unique_ptr<Watch> watch;
    std::string refused;  ///< why, as it was said; "" = it is not
    Health said = Health::kUnknown;
  };

  Result<> LookUp(const Cancel& cancel);
  void Add(const Address& address);
  FleetBuilder At(const Address& address, const Sighting& sighting) const;
  std::string WhyRefused(const FleetBuilder& builder,
                         const Sighting& sighting,
                         const std::set<std::string>& taken) const;
  void Say(Place& place, const FleetBuilder& builder);

  const settings::BuilderSettings settings_;
  const Surroundings& surroundings_;
  std::map<Address, Place> places_;
  std::mutex mutex_;
  std::set<Address> answer_;  ///< the latest; guarded by mutex_
  TaskGroup threads_{Cancel::Never()};
};

}  // namespace depot::fleet
