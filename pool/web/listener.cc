#include "pool/web/listener.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

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
  std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, std::min(colon, address.size()));
  std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
  bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_family = brackets ? AF_INET6 : AF_INET;
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

/// An IPv4 client of an IPv6 socket is an IPv4 client.
bool IsMapped(const sockaddr_storage& from) {
  const auto& six = reinterpret_cast<const sockaddr_in6&>(from);
  return from.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six.sin6_addr);
}

void Describe(const sockaddr_storage& from, Client& client) {
  char text[INET6_ADDRSTRLEN] = "";
  const auto& six = reinterpret_cast<const sockaddr_in6&>(from);
  if (from.ss_family == AF_INET6 && !IsMapped(from)) {
    ::inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof text);
    client.address = text;
    client.network.assign(reinterpret_cast<const char*>(&six.sin6_addr), 8);
    return;
  }
  const void* four = IsMapped(from) ? static_cast<const void*>(six.sin6_addr.s6_addr + 12)
                                    : &reinterpret_cast<const sockaddr_in&>(from).sin_addr;
  ::inet_ntop(AF_INET, four, text, sizeof text);
  client.address = text;
  client.network = text;
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

Queue Accept(int listener, Client& client) {
  while (true) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    int socket = ::accept4(listener, reinterpret_cast<sockaddr*>(&from), &size,
                           SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket >= 0) {
      client.socket.Reset(socket);
      Describe(from, client);
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
