#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/base/secret.h"

/// The pool's HTTPS server: HTTP/1.1 with limits, and the Connect protocol's framing on top.
namespace depot::web {

/// One request, whole.
struct Request {
  std::string method;
  std::string path;     ///< without the query
  std::string peer;     ///< the client's address, without its port; see Limits::proxies
  std::string network;  ///< who it counts as: the address, or its /64 in IPv6; not for people
  std::chrono::steady_clock::time_point begun;               ///< when all of its head was there
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  Secret body;

  /// First value of a header (lower-case name), or "".
  std::string Header(std::string_view name) const;
};

/// What the client gets.
struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::vector<std::pair<std::string, std::string>> headers;
  Secret body;
};

/// Not yet: the server keeps the connection and asks again after `pause`, until the client goes or
/// Limits::longest_wait has passed (then 504). No worker waits meanwhile.
struct Later {
  std::chrono::milliseconds pause{1000};
};

using Answer = std::variant<Response, Later>;

/// Called on one of the server's worker threads, several at once; must not wait for a network or a
/// lock: Later is for that.
using Handler = std::function<Answer(const Request&, const Cancel&)>;

/// Takes a body that is not to be held in memory, piece by piece as it arrives; calls of one reader
/// come one after the other, on worker threads. An error becomes the response 400 and ends the
/// connection. Destroyed without End() when the client goes, or is refused, before the body's end.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  virtual Result<> Take(std::string_view piece) = 0;
  virtual Response End() = 0;
};

/// Where the head of a request leads: to an answer, a refusal as a rule; nowhere yet; to who
/// answers the whole request; or to who takes its body in pieces.
using Entrance = std::variant<Response, Later, Handler, std::unique_ptr<BodyReader>>;

/// Decides by the head (its body is empty) before anything of the body is read. A client that is
/// let through to a handler or a reader is known from then on: it is the last whose connection is
/// closed when there is no room. Called as a Handler is.
using Door = std::function<Entrance(const Request& head, const Cancel&)>;

/// What is served where; exactly these methods and paths. A GET route answers HEAD too. Other paths
/// are 404, other methods 405.
struct Routes {
  std::map<std::pair<std::string, std::string>, Handler> whole;  ///< (method, path); for anybody
  std::map<std::pair<std::string, std::string>, Door> guarded;
  Door otherwise;  ///< for other paths, when set
  /// Told of each connection or request that had to go for want of room, when set: "connections",
  /// "connections of peer", "bodies" or "bodies of peer". Called on the loop's thread.
  std::function<void(std::string_view what)> turned_away;
};

/// What one client, or all together, may take.
struct Limits {
  std::size_t connections = 2000;  ///< beyond it, and the next one, the least missed is closed
  std::size_t connections_per_peer = 500;
  std::size_t header_bytes = 32 << 10;
  std::size_t body_bytes = 4 << 20;  ///< behind a door; a streamed body: of all pieces, 64 times
  std::size_t stranger_body_bytes = 16 << 10;  ///< of a body that anybody may send
  std::chrono::seconds handshake{10};          ///< TCP accept to the end of the TLS handshake
  std::chrono::seconds request{20};  ///< first byte of a request to its last (not for streamed)
  std::chrono::seconds piece{90};    ///< between two pieces of a streamed body
  std::chrono::seconds idle{120};    ///< between two requests on a connection
  std::chrono::seconds write{20};    ///< a response must be taken by the client within this
  std::chrono::minutes longest_wait{10};         ///< for Later
  std::size_t workers = 8;                       ///< threads that run handlers
  std::size_t bodies_bytes = 256 << 20;          ///< of all whole bodies in memory; beyond it 503
  std::size_t bodies_bytes_per_peer = 64 << 20;  ///< of one client's; beyond it 429
  /// Addresses of proxies, whose last X-Forwarded-For says for whom a request is. They may have as
  /// many connections as there are.
  std::set<std::string> proxies;
};

/// TLS certificate and key of the server, PEM; both empty = plain HTTP, for a proxy in front.
struct ServerTls {
  std::string certificate_pem;
  Secret key_pem;
};

/// A running server.
class Server {
 public:
  /// Stops accepting, lets requests that run end within 5 s (a Later is answered 503 at once), then
  /// cancels their handlers, and joins all threads.
  virtual ~Server() = default;

  /// The port it listens on.
  virtual std::uint16_t port() const = 0;

  /// From now on new connections get this certificate (it was renewed). Any thread. After an error
  /// the old one stays; so it does for a server that was started without TLS, which is an error.
  virtual Result<> ReplaceTls(const ServerTls& tls) = 0;
};

/// Listens on `address` ("0.0.0.0:8443", "[::1]:0"). Errors name the address and the cause.
/// `routes` is copied. TLS 1.2 or newer, ALPN http/1.1. The process must ignore SIGPIPE.
Result<std::unique_ptr<Server>> StartServer(const std::string& address,
                                            const ServerTls& tls,
                                            const Routes& routes,
                                            const Limits& limits);

}  // namespace depot::web
