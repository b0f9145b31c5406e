#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/base/secret.h"
#include "driver/base/system_roots.h"

namespace depot::http {

/// Where a request goes when that is more than its URL says.
struct Transport {
  std::string unix_socket;      ///< path; empty = by the URL's host
  std::string ca_pem;           ///< replaces the system's roots; empty = the system's
  std::string certificate_pem;  ///< client certificate; empty = none
  Secret key_pem;
  bool verify = true;     ///< false only for `--tls` without verification, as the Docker CLI has it
  bool use_proxy = true;  ///< HTTP_PROXY, HTTPS_PROXY, NO_PROXY as libcurl reads them
};

/// One request. Headers and URL must hold no line breaks (kInvalid); a Secret in it is never part
/// of an error.
struct Request {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<std::pair<std::string, Secret>> basic_auth;  ///< user, password
  std::optional<Secret> bearer;
  std::vector<std::pair<std::string, Secret>> secret_headers;  ///< e.g. X-Registry-Auth
  Secret body;  ///< may hold a password; empty with `body_source` unset = no body
  /// Streams the body (chunked): fills the buffer, returns the count, 0 = end. Called on the
  /// thread that called Send(), which does nothing else meanwhile: a source that blocks must end by
  /// itself when `cancel` stops. An error ends the request and is what Send() returns.
  std::function<Result<std::size_t>(char* into, std::size_t capacity)> body_source;
  /// Gets the response body in pieces instead of Response::body, whatever the status. An error
  /// ends the request and is what Send() returns.
  std::function<Result<>(std::string_view data)> body_sink;
  /// Hears the status before `body_sink` gets a piece; interim ones (RFC 9110, 15.2) come first.
  std::function<void(int status)> on_status;
  std::size_t max_body = 16 << 20;  ///< bytes of Response::body; more is an error
  /// Called on the sending thread once there is a connection, before the first byte of the request
  /// goes out: a failure without this call did nothing at the peer.
  std::function<void()> on_connected;
  /// How long neither side may send anything before Send() gives up with kTimeout; 0 = for ever.
  /// The time that `body_source` takes does not count.
  std::chrono::milliseconds silence{0};
  bool http2 = false;  ///< offer HTTP/2 to a TLS server; never together with `body_source`
  Transport transport;
  std::string peer;  ///< what errors call the other end; empty = scheme, host and port of the URL
};

/// What the peer answered, whatever its status.
struct Response {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::string body;

  /// First value of a header (lower-case name), or "".
  std::string Header(std::string_view name) const;
};

/// Sends HTTP requests. Safe to use from several threads. Redirects are not followed. Every HTTP
/// status is a Response: the caller decides what it means, also when the peer answered with a
/// failure before it had read the whole body. An Error is a transport failure and names host and
/// cause (kUnavailable, kTimeout, kDenied for TLS trouble, kInvalid for a malformed request or
/// answer) or is the error of `cancel`, which is noticed at once. It holds no part of the URL
/// behind the host. How long a silent peer may stay silent is decided by `cancel` and
/// Request::silence; a link over TCP that is dead is noticed after 30 s, with a `body_source` after
/// 5 min. The process must ignore SIGPIPE.
class HttpClient {
 public:
  virtual ~HttpClient() = default;

  /// Blocks until the whole response is there, or until `request.body_sink` has had its body.
  virtual Result<Response> Send(const Request& request, const Cancel& cancel) = 0;
};

/// libcurl, set up with the first request; HTTP/1.1 unless a request offers more, TLS 1.2 or newer.
/// Connecting (name look-up and TLS included) takes at most `connect_timeout`. `user_agent` goes
/// into every request. Connections are kept for later requests. `system_roots` check servers whose
/// Transport names no authority, and proxies.
std::unique_ptr<HttpClient> MakeCurlClient(std::string user_agent,
                                           std::chrono::seconds connect_timeout,
                                           SystemRoots system_roots);

/// RFC 3986 percent-encoding of a query value.
std::string UrlEncode(std::string_view text);

/// "a=1&b=2", encoded as application/x-www-form-urlencoded.
std::string FormEncode(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace depot::http
