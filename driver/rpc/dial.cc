#include "driver/rpc/dial.h"

#include <cerrno>
#include <cstring>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "driver/base/host_port.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::rpc {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  std::string Text() const {
    char host[NI_MAXHOST];
    char service[NI_MAXSERV];
    if (::getnameinfo(reinterpret_cast<const sockaddr*>(&storage), length, host, sizeof host,
                      service, sizeof service, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
      return "?";
    }
    return JoinHostPort(host, service);
  }
};

Result<std::vector<Address>> LookUp(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  in6_addr literal;
  // An address written out needs no interface of its family to be looked up.
  if (::inet_pton(AF_INET, host.c_str(), &literal) == 1 ||
      ::inet_pton(AF_INET6, host.c_str(), &literal) == 1) {
    hints.ai_flags = AI_NUMERICHOST;
  }
  addrinfo* found = nullptr;
  int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    bool unknown = error == EAI_NONAME || error == EAI_NODATA;
    return Fail(Error(unknown ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                      Cat("look up host ", host, ": ", LowerAscii(::gai_strerror(error))))
                    .WithHint("check the host name and the machine's DNS"));
  }
  std::vector<Address> addresses;
  for (addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    Address address;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.length = entry->ai_addrlen;
    addresses.push_back(address);
  }
  ::freeaddrinfo(found);
  return addresses;
}

/// As long as nobody says otherwise.
constexpr std::chrono::seconds kUsualSilence(20);

void SetOption(int socket, int level, int name, int value) {
  ::setsockopt(socket, level, name, &value, sizeof value);
}

void WatchLink(int socket) {
  SetOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  // What waits in the kernel's buffer, up to 4 MiB of it, waits in front of the answer to a health
  // check: on a slow link the builder would give us up.
  SetOption(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 256 << 10);
  SetOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  LimitSilence(socket, kUsualSilence);
}

Result<Fd> Connect(const sockaddr* address,
                   socklen_t length,
                   const std::string& what,
                   const Cancel& cancel) {
  Fd socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return Fail(SystemError(what, errno));
  if (::connect(socket.get(), address, length) == 0) return socket;
  // A unix socket whose queue is full says EAGAIN; it is as good as refused.
  if (errno == EAGAIN) return Fail(SystemError(what, ECONNREFUSED));
  if (errno != EINPROGRESS) return Fail(SystemError(what, errno));
  Result<> ready = WaitForFd(socket.get(), POLLOUT, cancel);
  if (!ready) return Fail(std::move(ready).error().While(what));
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return Fail(SystemError(what, error));
  return socket;
}

Result<Bytes> UpgradeRequest(const std::string& path, const SecretHeaders& headers) {
  // The Engine wants a Host header and does not care what it says (moby client hijack.go).
  std::string text = Cat("POST ", path,
                         " HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n"
                         "Connection: Upgrade\r\nUpgrade: h2c\r\n");
  for (const auto& [name, value] : headers) {
    constexpr std::string_view kBreaks("\r\n\0", 3);
    std::string line = Cat(name, ": ", value.Reveal());
    bool broken = name.empty() || name.find_first_of(": ") != std::string::npos ||
                  line.find_first_of(kBreaks) != std::string::npos;
    if (broken) {
      return Fail(
          Error(ErrorCode::kInvalid, Cat("the HTTP header ", Printable(name),
                                         " has a malformed name, or a line break in its value"))
              .WithHint("see HttpHeaders in Docker's config.json"));
    }
    text += line + "\r\n";
  }
  auto owner = std::make_shared<const Secret>(text + "\r\n");
  return Bytes(owner, owner->Reveal());
}

}  // namespace

void LimitSilence(int socket, std::chrono::seconds silence) {
  constexpr int kIdle = 10;
  constexpr int kBetween = 5;
  const int dead = static_cast<int>(silence.count()) + kBetween;
  SetOption(socket, IPPROTO_TCP, TCP_KEEPIDLE, kIdle);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPINTVL, kBetween);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPCNT, (dead - kIdle) / kBetween);
  SetOption(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, dead * 1000);
}

Result<Fd> DialTcp(const std::string& host, std::uint16_t port, const Cancel& cancel) {
  TRY_ASSIGN(std::vector<Address> addresses, LookUp(host, port));
  Error last(ErrorCode::kNotFound, Cat("host ", host, " has no address"));
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const Address& address = addresses[i];
    // A black-holed address must not use up the time of those behind it.
    Cancel attempt = i + 1 < addresses.size()
                         ? cancel.WithTimeout(std::chrono::seconds(5), "no answer within 5 s")
                         : cancel;
    auto socket = Connect(reinterpret_cast<const sockaddr*>(&address.storage), address.length,
                          Cat("connect to ", address.Text()), attempt);
    if (socket) {
      WatchLink(socket->get());
      return socket;
    }
    last = std::move(socket).error();
    if (cancel.cancelled()) break;
  }
  return Fail(std::move(last));
}

Result<Fd> DialUnix(const std::string& path, const Cancel& cancel) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Fail(ErrorCode::kInvalid,
                Cat("socket path is longer than ", sizeof address.sun_path - 1, " bytes: ", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return Connect(reinterpret_cast<const sockaddr*>(&address), sizeof address,
                 Cat("connect to ", path), cancel);
}

Result<std::unique_ptr<ByteStream>> UpgradeToH2c(std::unique_ptr<ByteStream> stream,
                                                 const std::string& path,
                                                 const SecretHeaders& headers,
                                                 const Cancel& cancel) {
  constexpr std::size_t kMaxHead = 16 << 10;
  TRY_ASSIGN(Bytes request, UpgradeRequest(path, headers));
  TRY(stream->Write({std::move(request)}, cancel));
  std::string head;
  std::size_t end = std::string::npos;
  while (end == std::string::npos) {
    char buffer[4096];
    TRY_ASSIGN(std::size_t got, stream->Read(buffer, sizeof buffer, cancel));
    if (got == 0 || head.size() > kMaxHead) {
      return Fail(ErrorCode::kInvalid,
                  Cat("no HTTP answer to POST ", path, "; is this a Docker Engine?"));
    }
    head.append(buffer, got);
    end = head.find("\r\n\r\n");
  }
  std::string_view status = std::string_view(head).substr(0, head.find("\r\n"));
  if (!status.starts_with("HTTP/1.1 101")) {
    std::string_view rest = std::string_view(head).substr(end + 4, 500);
    ErrorCode code = status.find(" 404") != std::string_view::npos ? ErrorCode::kUnsupported
                                                                   : ErrorCode::kInvalid;
    return Fail(code, Cat("the Docker Engine answered POST ", path, " with ", Printable(status),
                          rest.empty() ? "" : ": ", Printable(Trim(rest))));
  }
  return MakePrefixedStream(head.substr(end + 4), std::move(stream));
}

}  // namespace depot::rpc
