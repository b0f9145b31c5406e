#pragma once

#include <memory>
#include <string>

#include "driver/base/cancel.h"
#include "driver/builder/features.h"
#include "driver/event/sink.h"
#include "driver/rpc/channel.h"
#include "driver/rpc/dial.h"

namespace depot::builder {

/// A BuildKit daemon held for a build: a lease, whose connection can be made again in place. Its
/// destructor lets go of the daemon within a bounded time. channel() may be called from any thread.
class Builder {
 public:
  virtual ~Builder() = default;

  /// The newest connection to the daemon; owned by the builder and gone with it. A connection never
  /// comes back to life: once it is dead every call on it fails, until Reconnect() has made another
  /// one. What was given earlier stays valid to use, and dead.
  virtual rpc::Channel& channel() = 0;

  /// Makes channel() a living connection to the same daemon, or, with the Depot API, to one that
  /// stands in for it, which is said; does nothing while it is one. Patient like
  /// Driver::Acquire(), otherwise without a word; a failure leaves all as it was. Running calls, a
  /// solve for one, are not carried over. A builder that was taken from us (by the Depot API) stays
  /// lost: the reason is the Error. Blocks. Any thread; what one of them has connected, the others
  /// find connected.
  virtual Result<> Reconnect(const Cancel& cancel) = 0;

  /// One more connection to the same daemon, held apart from this one: what happens to either says
  /// nothing of the other. kUnsupported: there is only one. Patient like Driver::Acquire(), without
  /// a word. Blocks. Any thread.
  virtual Result<std::unique_ptr<Builder>> Another(const Cancel& /*cancel*/) {
    return Fail(ErrorCode::kUnsupported, "this builder has one connection");
  }

  /// Makes a connection for one session alone, which is announced with the metadata of
  /// Control.Session; the daemon is the HTTP/2 client on it. Fails where something before the
  /// daemon lets none through. Empty where sessions go inside of that call, which costs the daemon
  /// the work on every byte twice. Blocks. Any thread.
  virtual rpc::AnnouncedDial session_dial() const { return {}; }

  /// What the daemon said it can do when it was acquired; never changes, also when it connects
  /// again.
  virtual const Features& features() const = 0;

  /// Of what channel() leads to; what was given stays valid. For people: "tcp://host:port", "docker
  /// (unix:///var/run/docker.sock)".
  virtual const std::string& endpoint() const = 0;
};

}  // namespace depot::builder
