#pragma once

#include <memory>
#include <string>

#include "driver/base/cancel.h"
#include "driver/builder/features.h"
#include "driver/event/sink.h"
#include "driver/rpc/channel.h"

namespace depot::builder {

/// A BuildKit daemon held for a build. Its destructor lets go of it within a bounded time.
/// channel() may be used from any thread.
class Builder {
 public:
  virtual ~Builder() = default;

  /// The connection to the daemon; owned by the builder and gone with it. It never reconnects: once
  /// it is dead every call on it fails.
  virtual rpc::Channel& channel() = 0;

  /// What the daemon said it can do when it was acquired; never changes.
  virtual const Features& features() const = 0;

  /// For people: "tcp://host:port", "docker (unix:///var/run/docker.sock)".
  virtual const std::string& endpoint() const = 0;
};

}  // namespace depot::builder
