#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "driver/base/cancel.h"
#include "driver/rpc/channel.h"
#include "driver/rpc/dial.h"
#include "driver/rpc/server.h"

namespace depot::session {

/// What a session is known by (BuildKit session/manager.go), and when its builder is gone.
struct SessionIdentity {
  std::string id;          ///< RandomId(); the same as SolveRequest.session
  std::string shared_key;  ///< the builder keeps its copy of a local directory under this key
  std::chrono::seconds silence{20};  ///< so long it may say nothing
  /// What we send may be packed, where the link is what is waited for. A builder that knows gzip
  /// then packs all that it sends, so it is not for one that has much to send.
  bool may_pack = false;
};

/// The connection on which the builder calls us, the HTTP/2 server: inside Control.Session, or one
/// of its own. Opens it, waits for the builder's first bytes, and serves `table`.
class Session {
 public:
  virtual ~Session() = default;  ///< ends the session without waiting for the peer

  /// Serves until `cancel` stops (success) or the builder ends the session or falls silent:
  /// kUnavailable "no sign of life from the builder for N s". The builder checks our health every 5
  /// s (BuildKit session/grpc.go), which is what tells a silent link from a long step. Blocks; call
  /// it once, on a thread of its own.
  virtual Result<> Serve(const Cancel& cancel) = 0;
};

/// Inside Control.Session on `channel`, begun here; unless `own` is given and works, which Serve()
/// tries: it makes the session's own connection. `channel` and `table` must outlive it.
std::unique_ptr<Session> OpenSession(rpc::Channel& channel,
                                     const SessionIdentity& identity,
                                     const rpc::ServiceTable& table,
                                     rpc::AnnouncedDial own = {});

}  // namespace depot::session
