#include "pool/web/listener.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "driver/base/host_port.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::web {
namespace {

constexpr int kBacklog = 1024;

struct AddressDeleter {
  void operator()(addrinfo* addresses) const { ::freeaddrinfo(addresses); }
};
using AddressPtr = std::unique_ptr<addrinfo, AddressDeleter>;

void SetOption(int socket, int level, int name, int value) {
  (void)::setsockopt(socket, level, name, &value, sizeof value);
}

Result<AddressPtr> ParseAddress(const std::string& address) {
  const HostPort parts = SplitHostPort(address);
  const std::string host(parts.host);
  const std::string port(parts.port.value_or(""));
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_family = parts.brackets ? AF_INET6 : AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (host.empty() || ParseDecimal(port).value_or(65536) > 65535 ||
      ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) {
    return Fail(Error(ErrorCode::kInvalid,
                      Cat("listen on \"", Printable(address), "\": not a numeric HOST:PORT"))
                    .WithHint("for example 0.0.0.0:8443 or [::]:8443"));
  }
  return AddressPtr(found);
}

Peer Describe(const in_addr& four) {
  char text[INET_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET, &four, text, sizeof text);
  return {text, text};
}

/// An IPv4 client of an IPv6 socket is an IPv4 client.
Peer Describe(const in6_addr& six) {
  if (IN6_IS_ADDR_V4MAPPED(&six)) {
    in_addr four{};
    std::memcpy(&four, six.s6_addr + 12, sizeof four);
    return Describe(four);
  }
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET6, &six, text, sizeof text);
  return {text, std::string(reinterpret_cast<const char*>(&six), 8)};
}

Peer Describe(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET6)
    return Describe(reinterpret_cast<const sockaddr_in6&>(from).sin6_addr);
  return Describe(reinterpret_cast<const sockaddr_in&>(from).sin_addr);
}

/// Answers are small and go out at once; a client whose machine died is noticed within a minute.
void Tune(int socket) {
  SetOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

}  // namespace

Result<Listener> Listen(const std::string& address) {
  TRY_ASSIGN(AddressPtr parsed, ParseAddress(address));
  Listener listener;
  listener.socket.Reset(::socket(parsed->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  int socket = listener.socket.get();
  SetOption(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (parsed->ai_family == AF_INET6) SetOption(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (socket < 0 || ::bind(socket, parsed->ai_addr, parsed->ai_addrlen) != 0 ||
      ::listen(socket, kBacklog) != 0 ||
      ::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return Fail(SystemError(Cat("listen on ", address), errno));
  }
  // The port is at the same place in both families.
  listener.port = ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
  return listener;
}

std::optional<Peer> ParsePeer(const std::string& address) {
  in_addr four{};
  if (::inet_pton(AF_INET, address.c_str(), &four) == 1) return Describe(four);
  in6_addr six{};
  if (::inet_pton(AF_INET6, address.c_str(), &six) == 1) return Describe(six);
  return std::nullopt;
}

std::size_t RoomForConnections() {
  constexpr rlim_t kOthers = 200;  // records, probes of builders, issuers, log
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
  (void)::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur > kOthers ? limit.rlim_cur - kOthers : 1;
}

Queue Accept(int listener, Client& client) {
  while (true) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    int socket = ::accept4(listener, reinterpret_cast<sockaddr*>(&from), &size,
                           SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket >= 0) {
      client.socket.Reset(socket);
      client.peer = Describe(from);
      Tune(socket);
      return Queue::kClient;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Queue::kEmpty;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return Queue::kNoRoom;
    }
    // Everything else is about a client that has gone again (accept(2), error handling).
    if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK) return Queue::kEmpty;
  }
}

}  // namespace depot::web
