#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "pool/fleet/watch.h"
#include "pool/settings/settings.h"

namespace depot::fleet {

/// One builder of the fleet at a moment. A value.
struct FleetBuilder {
  std::string name;    ///< as the settings name it, or SOURCE/WORKER when it was found by DNS
  std::string source;  ///< its name in the settings: whose authority signs its builds
  Platform platform;
  std::string endpoint;  ///< tcp://host:port
  std::string server_name;
  std::string ca_pem;
  int slots = 1;  ///< 0: stands for those that are found by the source and may come
  std::vector<std::string> projects;
  std::string cache;  ///< which cache it has: its worker's ID, or its name in the settings
  Health health = Health::kUnknown;
  std::string why;         ///< it is down
  std::int64_t since = 0;  ///< seconds since 1970: it is so from then on; 0 = was not reached yet

  friend bool operator==(const FleetBuilder&, const FleetBuilder&) = default;
};

/// What a fleet needs of others; all of it is called from its threads, and must be safe for that.
struct Surroundings {
  /// A way to a builder: its endpoint with a certificate of the pool's for `source`.
  std::function<Result<builder::Endpoint>(const FleetBuilder&)> way;
  std::function<bool(const std::string& builder)> in_use;  ///< builds have slots of it
  std::function<void(const std::vector<FleetBuilder>&)> changed;
  std::function<void(std::string)> say;  ///< lines for people
};

/// The builders of the settings: those with an endpoint, and those that DNS names, which come and
/// go. Each name is asked for every 2 s; what cannot be resolved stays as it is known. A builder
/// goes when DNS has answered without it, its connection has ended, and no build has a slot of it.
/// Two with one worker's ID have a copied cache, or are one: the second is refused, which is said.
/// So is one of another platform than its source's. Any thread.
class Fleet {
 public:
  virtual ~Fleet() = default;

  /// These from now on. What has not changed goes on; `changed` is called before it returns.
  virtual void Configure(const std::vector<settings::BuilderSettings>& builders) = 0;

  virtual std::vector<FleetBuilder> Builders() const = 0;
};

std::unique_ptr<Fleet> MakeFleet(Surroundings surroundings);

}  // namespace depot::fleet
