#pragma once

#include <chrono>
#include <set>
#include <string>

#include "driver/base/steady_time.h"
#include "driver/base/task_group.h"
#include "pool/service/call.h"
#include "pool/web/server.h"

namespace depot::service {

/// What the pool does without being asked: it ends builds that are silent, cancelled or too old,
/// takes up renewed TLS certificates, and the tokens of pools that share them. Its thread runs from
/// Start() to its end.
class Upkeep {
 public:
  static constexpr std::chrono::seconds kTick{1};

  explicit Upkeep(const Parts& parts) : parts_(parts), threads_(Cancel::Never()) {}

  /// Call once. `server` must outlive it.
  void Start(web::Server& server);

  /// One round of ending builds; `now` in seconds since 1970.
  void EndBuilds(std::int64_t now);

 private:
  Result<> Tick(web::Server& server, const Cancel& cancel);
  void WriteBacklog();
  void TakeTokens();
  void ReloadTls(web::Server& server);
  records::Expired TakeSilent();
  void End(const std::string& build,
           records::State state,
           const std::string& reason,
           std::int64_t now);

  const Parts& parts_;
  std::set<std::string> lost_;  ///< not written down yet
  records::Slots::Moment looked_ = SteadyTime();
  records::Slots::Moment nobody_silent_until_{0};
  std::string tls_stamp_;
  TaskGroup threads_;
};

/// The certificate and key that the settings name; both empty without TLS.
Result<web::ServerTls> ReadTls(const settings::Settings& settings);

}  // namespace depot::service
