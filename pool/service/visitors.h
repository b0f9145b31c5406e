#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "driver/base/result.h"
#include "driver/base/secret.h"
#include "pool/identity/identity.h"
#include "pool/service/live_settings.h"

namespace depot::service {

/// People who have shown their token to the pool's page, in memory: a restart signs everybody out.
/// A browser keeps an id of its own instead of the token, and the token is checked anew each time,
/// so that a revoked or expired one ends the visit. Safe to use from several threads.
class Visitors {
 public:
  /// How long a visit lasts at most, in seconds.
  static constexpr std::int64_t kLongest = std::int64_t{12} * 3600;

  /// Both must outlive it.
  Visitors(LiveSettings& settings, identity::Gate& gate) : settings_(settings), gate_(gate) {}

  /// Begins a visit and gives its id; nullopt and errors as Gate::Admit(). `who` gets the caller.
  /// A token has 20 visits at most, and there are 1000 in all: the oldest one goes.
  Result<std::optional<Secret>> Begin(const Secret& token, std::int64_t now, identity::Caller& who);

  /// Who visits; nullopt when it is not known yet. kDenied when the visit is over or was none.
  Result<std::optional<identity::Caller>> Find(const Secret& id, std::int64_t now);

  void End(const Secret& id);

 private:
  struct Visit {
    Secret token;
    std::string admitted_by;
    std::int64_t begun = 0;
  };

  void MakeRoom(const std::string& admitted_by, std::int64_t now);

  LiveSettings& settings_;
  identity::Gate& gate_;
  std::mutex mutex_;
  std::map<std::string, Visit> visits_;  ///< by the hash of the id
};

}  // namespace depot::service
