#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "pool/web/listener.h"
#include "pool/web/server.h"
#include "pool/web/transport.h"

namespace boost::asio {
class io_context;
}

namespace depot::web {

class ClientConnection;

/// What the connections of one server share. It outlives them; everything but `workers` belongs to
/// the loop's thread.
struct Shared {
  boost::asio::io_context& loop;     ///< one thread: all I/O
  boost::asio::io_context& workers;  ///< several threads: handlers
  const Routes& routes;
  const Limits& limits;
  const Cancel& cancel;                          ///< for handlers
  std::function<void(ClientConnection&)> known;  ///< a door has let through who is at the other end
  std::function<void(ClientConnection&)>
      ended;  ///< a connection's last words; it may be forgotten then
  bool stopping = false;
  std::size_t body_bytes = 0;                                    ///< of whole bodies in memory now
  std::unordered_map<std::string, std::size_t> body_bytes_of{};  ///< the same, by network
  std::array<char, 64 << 10> read_buffer{};                      ///< between two awaits only
};

/// One client's connection: handshake, then one request after the other until one side has enough.
/// It keeps itself alive while it runs. All calls on the loop's thread.
class ClientConnection {
 public:
  virtual ~ClientConnection() = default;

  /// Begins, once; Shared::ended may be called from within.
  virtual void Start() = 0;

  /// Since when nothing that a door has let through is served here; time_point::max() while
  /// something is.
  virtual std::chrono::steady_clock::time_point idle_since() const = 0;

  /// The server is stopping: an idle connection ends now, another one after the present request. A
  /// Later is answered 503.
  virtual void Finish() = 0;

  /// Ends now, but for a handler that runs.
  virtual void Close() = 0;
};

/// A connection with a client that was just accepted. Null when the system has no room for it.
std::shared_ptr<ClientConnection> MakeClientConnection(Shared& shared,
                                                       Client client,
                                                       const TlsContext& tls);

}  // namespace depot::web
