#pragma once

#include <memory>
#include <optional>

#include "driver/builder/builder.h"
#include "driver/builder/endpoint.h"
#include "driver/docker/engine_endpoint.h"

namespace depot::builder {

/// A way to get hold of a builder.
class Driver {
 public:
  virtual ~Driver() = default;

  /// Blocks until a builder answers. A driver of several machines gives the one that runs
  /// `platform` (unset = any of them) natively; one of a single builder does not look at it. A
  /// refused connection is tried again for up to 20 s (an Engine's: 3 s), with a line to `sink`
  /// that says so; a connection that is only slow gets 20 s; a TLS refusal, an unknown host name or
  /// a wrong answer is final at once. Errors name the address and the cause.
  virtual Result<std::unique_ptr<Builder>> Acquire(const std::optional<Platform>& platform,
                                                   EventSink& sink,
                                                   const Cancel& cancel) = 0;

  /// For a look at it: as Acquire() of any machine, but a refused connection is an answer at once.
  virtual Result<std::unique_ptr<Builder>> TryOnce(EventSink& sink, const Cancel& cancel) {
    return Acquire(std::nullopt, sink, cancel);
  }
};

/// A self-hosted buildkitd at a fixed endpoint.
std::unique_ptr<Driver> MakeRemoteDriver(Endpoint endpoint);

/// The BuildKit inside a Docker Engine, reached by POST /grpc.
std::unique_ptr<Driver> MakeEngineDriver(docker::EngineEndpoint endpoint);

}  // namespace depot::builder
