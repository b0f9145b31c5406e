#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pool/fleet/fleet.h"
#include "pool/records/records.h"

namespace depot::service {

/// What /metrics shows, in Prometheus' text format (prometheus.io/docs/instrumenting/
/// exposition_formats). Safe to use from several threads.
class Metrics {
 public:
  void CountRequest(const std::string& method, const std::string& code);
  void CountRejectedToken();
  void CountReport();
  void CountSettingsError();
  /// `what` as web::Routes::turned_away says it.
  void CountTurnedAway(std::string_view what);

  /// A build has got a builder.
  void CountGrant(const std::string& platform, records::Grounds grounds);

  /// The whole text; `builds` may be empty when the records cannot be read. `now` is on the clock
  /// of `slots`.
  std::string Render(const std::map<records::State, std::int64_t>& builds,
                     const records::Slots& slots,
                     const std::vector<fleet::FleetBuilder>& builders,
                     records::Slots::Moment now) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::int64_t> requests_;
  std::map<std::pair<std::string, records::Grounds>, std::int64_t> grants_;
  std::int64_t rejected_tokens_ = 0;
  std::int64_t reports_ = 0;
  std::int64_t settings_errors_ = 0;
  std::map<std::string, std::int64_t, std::less<>> turned_away_;
};

}  // namespace depot::service
