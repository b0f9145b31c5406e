#pragma once

#include <memory>
#include <string>

#include "driver/base/result.h"
#include "driver/docker/engine_endpoint.h"

namespace depot::builder {

/// A way to a Docker Engine for an HTTP client that knows sockets only: a unix socket of this
/// process that leads, connection by connection, to a program that leads to the Engine. It has no
/// name in any folder, so that nobody else finds it and nothing is left behind. A program that ends
/// without an answer is told to the client as HTTP status 502 with its words as the message. Ends,
/// with its programs, when it is destroyed.
class EngineTunnel {
 public:
  virtual ~EngineTunnel() = default;

  /// The path to connect to; only this process can.
  virtual const std::string& path() const = 0;
};

/// Opens one for an Engine that is reached through a program (ssh://), and says so in
/// `endpoint.tunnel`; nullptr for any other, which needs none. The socket is made in `temporary`, a
/// folder, and taken out of it at once. `endpoint` need not outlive it.
Result<std::unique_ptr<EngineTunnel>> OpenEngineTunnel(docker::EngineEndpoint& endpoint,
                                                       const std::string& temporary);

}  // namespace depot::builder
