#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "driver/builder/builder.h"
#include "driver/rpc/byte_stream.h"
#include "driver/rpc/dial.h"

namespace depot::builder {

/// What both drivers do once they know how to dial: connect, ask the daemon what it is, hold it.
/// A value that the builder keeps: `dial` refers to nothing that may go before it.
struct Connection {
  std::string endpoint;       ///< for people
  std::string authority;      ///< :authority of every call
  bool engine = false;        ///< the daemon is a Docker Engine's
  bool same_machine = false;  ///< see Features
  /// One attempt; its errors are final except kUnavailable ones from a refused connection.
  std::function<Result<std::unique_ptr<rpc::ByteStream>>(const Cancel&)> dial;
  rpc::AnnouncedDial dial_session;    ///< see Builder::session_dial()
  std::chrono::seconds patience{20};  ///< with refused connections; 0 = a refusal is final
};

/// Dials, again for up to `connection.patience` while the connection is refused, and says so once.
/// Then asks Control.ListWorkers, on a new connection for up to 5 s while it ends before the
/// answer.
Result<std::unique_ptr<Builder>> Hold(Connection connection, EventSink& sink, const Cancel& cancel);

}  // namespace depot::builder
