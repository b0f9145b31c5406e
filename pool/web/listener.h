#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "driver/base/fd.h"
#include "driver/base/result.h"

namespace depot::web {

/// A listening, non-blocking TCP socket and the port it got. `address` is a numeric HOST:PORT, IPv6
/// in brackets; port 0 takes any. "[::]" takes IPv4 too.
struct Listener {
  Fd socket;
  std::uint16_t port = 0;
};
Result<Listener> Listen(const std::string& address);

/// Where a client is.
struct Peer {
  std::string address;  ///< without the port
  std::string network;  ///< who it counts as: the address, or its /64 in IPv6
};

/// An IPv4 or IPv6 address as text, without a port; nullopt when it is none.
std::optional<Peer> ParsePeer(const std::string& address);

/// A client that has connected; its socket does not block.
struct Client {
  Fd socket;
  Peer peer;
};

/// How many connections fit beside what else a server opens: the process may have as many
/// descriptors as its hard limit allows (RLIMIT_NOFILE) from now on.
std::size_t RoomForConnections();

/// What is left in the queue of `listener`.
enum class Queue { kClient, kEmpty, kNoRoom };

/// Takes a client from the queue into `client`. kNoRoom: the process may not have another
/// descriptor now.
Queue Accept(int listener, Client& client);

}  // namespace depot::web
