#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "driver/base/cancel.h"
#include "driver/base/fd.h"

namespace depot::test {

/// A listening TCP socket on 127.0.0.1.
class Listener {
 public:
  explicit Listener(int backlog = 8) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_.get(), generic, size) != 0 || ::listen(socket_.get(), backlog) != 0 ||
        ::getsockname(socket_.get(), generic, &size) != 0) {
      throw std::runtime_error("cannot listen on 127.0.0.1");
    }
    port_ = ntohs(address.sin_port);
  }

  std::uint16_t port() const { return port_; }

  /// The next connection, a blocking socket; none when `cancel` stops.
  Fd Accept(const Cancel& cancel) {
    if (!WaitForFd(socket_.get(), POLLIN, cancel)) return Fd();
    return Fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  Fd socket_;
  std::uint16_t port_ = 0;
};

/// Reads until the peer ends the stream, `cancel` stops, or `enough` is contained in what came.
inline std::string ReadUntil(int socket, const std::string& enough, const Cancel& cancel) {
  std::string text;
  char buffer[4096];
  while (enough.empty() || text.find(enough) == std::string::npos) {
    if (!WaitForFd(socket, POLLIN, cancel)) break;
    ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
    if (got <= 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace depot::test
