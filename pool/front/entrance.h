#pragma once

#include <functional>
#include <string>

#include <openssl/types.h>

#include "driver/base/cancel.h"
#include "driver/base/openssl.h"
#include "driver/base/secret.h"
#include "pool/identity/pass.h"

namespace depot::front {

/// What the front shows clients, and who signs what clients show it. PEM.
struct Certificates {
  std::string own_pem;
  Secret key_pem;
  std::string clients_pem;

  friend bool operator==(const Certificates&, const Certificates&) = default;
};

/// A client that was let in.
struct Guest {
  OpenSslPtr<SSL> tls;  ///< on the client's socket, which it does not own
  identity::Pass pass;
};

/// TLS as a server that lets in clients with a pass. Safe to use from several threads.
class Entrance {
 public:
  /// Whether this pass is good here, at this moment. Called on the thread of Admit(), once the
  /// certificate is known to be genuine and in its time; may block until the Cancel of Admit()
  /// stops.
  using Check = std::function<Result<>(const identity::Pass&)>;

  /// kInvalid says which of the certificates cannot be used.
  static Result<Entrance> Open(const Certificates& certificates);

  /// Does the handshake (TLS 1.2 or newer, ALPN h2, no resumption: everybody is checked each time)
  /// on a connected, non-blocking socket. Who is refused is told so by a TLS alert. kDenied names
  /// why; kUnavailable: the client went, or never spoke TLS.
  Result<Guest> Admit(int socket, const Check& check, const Cancel& cancel) const;

 private:
  explicit Entrance(OpenSslPtr<SSL_CTX> context) : context_(std::move(context)) {}

  OpenSslPtr<SSL_CTX> context_;
};

}  // namespace depot::front
