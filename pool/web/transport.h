#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "pool/web/server.h"

struct ssl_ctx_st;

namespace depot::web {

/// A certificate and its key, ready for handshakes; shared by the connections that use them.
using TlsContext = std::shared_ptr<ssl_ctx_st>;

/// TLS 1.2 or newer, no renegotiation, ALPN http/1.1 (a client that offers others alone is
/// refused: RFC 7301 3.2). Null when `tls` is empty, which means plain HTTP. kInvalid says what is
/// wrong with certificate or key.
Result<TlsContext> MakeTlsContext(const ServerTls& tls);

/// What one call for I/O came to. kWantRead and kWantWrite: nothing was done; try again when the
/// socket is readable or writable.
struct IoResult {
  enum class Outcome { kDone, kWantRead, kWantWrite, kEnd, kBroken };
  Outcome outcome = Outcome::kBroken;
  std::size_t bytes = 0;
};

/// A client's connection, plain or TLS, on a non-blocking socket: every call returns at once. One
/// thread at a time.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Before anything else.
  virtual IoResult Handshake() = 0;

  /// Up to `size` bytes; kEnd when the client sends no more.
  virtual IoResult Read(char* to, std::size_t size) = 0;

  /// As much of `bytes` (not empty) as fits now. After kWant... the same bytes come again.
  virtual IoResult Write(std::string_view bytes) = 0;

  /// Tells the client that nothing follows, as far as that goes without waiting.
  virtual void EndWriting() = 0;
};

/// `socket` is connected, and must stay open as long as the transport lives; it is not owned.
/// Without `tls` it is plain. The process must ignore SIGPIPE.
std::unique_ptr<Transport> MakeTransport(int socket, const TlsContext& tls);

}  // namespace depot::web
