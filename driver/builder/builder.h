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
  virtual rpc::Channel& channel() = 0;
  virtual const Features& features() const = 0;
  /// For people: "tcp://host:port", "docker (unix:///var/run/docker.sock)".
  virtual const std::string& endpoint() const = 0;
};

}  // namespace depot::builder
