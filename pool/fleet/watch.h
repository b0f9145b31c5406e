#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "driver/base/task_group.h"
#include "driver/builder/endpoint.h"
#include "driver/oci/platform.h"

namespace depot::fleet {

/// How a builder is.
enum class Health {
  kUnknown,  ///< it was not reached yet
  kUp,
  kDraining,  ///< it said that it takes no more builds; those that it has may go on
  kDown,
};

/// "", "up", "draining", "down".
std::string HealthName(Health health);

/// What is known of the builder at one address.
struct Sighting {
  Health health = Health::kUnknown;
  std::string worker;      ///< BuildKit's worker ID, which names its cache; "" = it has not said
  Platform platform;       ///< its native one; empty with the worker
  std::string why;         ///< for people: why it is down
  std::int64_t since = 0;  ///< seconds since 1970: it is in this health from then on; 0 = unknown

  friend bool operator==(const Sighting&, const Sighting&) = default;
};

/// Whether a worker's ID may be part of a builder's name.
bool IsWorkerId(std::string_view id);

/// Keeps a connection to one builder, from a thread of its own: over TLS with a certificate of the
/// pool's, asked once who it is, and idle from then on, without a stream, which would hold up a
/// builder that wants to end. The end of the connection is the builder's, and GOAWAY before it says
/// that it goes by its own will. Then it is dialled again, after 1, 2, 4 ... 10 s.
class Watch {
 public:
  /// How to connect now: certificates live for minutes. Called on the watch's thread.
  using Way = std::function<Result<builder::Endpoint>()>;

  /// `port_is_enough`: a builder that takes connections and then cannot be talked to counts as up,
  /// so that certificates which are good for builds alone do for a builder of the settings' list.
  /// One that cannot be connected to is down after the second time.
  Watch(Way way, bool port_is_enough);

  /// Any thread.
  Sighting Now() const;

 private:
  Result<> Run(const Cancel& cancel);
  void Look(const Cancel& cancel);
  void SayDown(const Error& why);
  void Set(Sighting sighting);

  const Way way_;
  const bool port_is_enough_;
  int failures_ = 0;          ///< in a row; of its thread
  std::int64_t failing_ = 0;  ///< since when; of its thread
  mutable std::mutex mutex_;
  Sighting now_;
  TaskGroup thread_{Cancel::Never()};  // last: joins before the rest goes
};

}  // namespace depot::fleet
