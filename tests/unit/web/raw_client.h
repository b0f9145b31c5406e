#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "driver/base/cancel.h"
#include "driver/base/fd.h"
#include "driver/base/text.h"
#include "pool/web/server.h"

namespace depot::test {

/// An answer as it was on the wire; status 0 means that none came.
struct Reply {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
};

/// A client that sends what it is told, byte by byte, also what is not HTTP. Reads wait 30 s at
/// most. `source` is its own address.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer = 0, const char* source = "127.0.0.1")
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer > 0) Set(SOL_SOCKET, SO_RCVBUF, receive_buffer);
    timeval patience{30, 0};
    (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    Set(IPPROTO_TCP, TCP_NODELAY, 1);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    (void)::inet_pton(AF_INET, source, &own.sin_addr);
    (void)::bind(socket_.get(), reinterpret_cast<sockaddr*>(&own), sizeof own);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    connected_ =
        ::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }

  /// TLS from here on; `prepare` may change the context.
  bool StartTls(const std::function<void(SSL_CTX*)>& prepare = [](SSL_CTX*) {}) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    prepare(context_.get());
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), socket_.get());
    return SSL_connect(ssl_.get()) == 1;
  }

  bool connected() const { return connected_; }
  int socket() const { return socket_.get(); }
  SSL* ssl() const { return ssl_.get(); }

  bool Send(std::string_view data) {
    while (!data.empty()) {
      ssize_t put = ssl_ ? SSL_write(ssl_.get(), data.data(), static_cast<int>(data.size()))
                         : ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (put <= 0) return false;
      data.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
  }

  /// The end of what we send; we still read.
  void HalfClose() { ::shutdown(socket_.get(), SHUT_WR); }

  /// "" at the end, or when the connection broke, or nothing came.
  std::string ReadSome() {
    char buffer[65536];
    ssize_t got = ssl_ ? SSL_read(ssl_.get(), buffer, sizeof buffer)
                       : ::recv(socket_.get(), buffer, sizeof buffer, 0);
    return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : "";
  }

  std::string ReadLine() {
    while (in_.find("\r\n") == std::string::npos) {
      if (!Fill()) return "";
    }
    std::string line = in_.substr(0, in_.find("\r\n"));
    in_.erase(0, line.size() + 2);
    return line;
  }

  /// The next answer, of a HEAD request one without body.
  Reply Read(bool head = false) {
    Reply reply;
    std::string status = ReadLine();
    if (status.size() < 12) return reply;
    reply.status = static_cast<int>(ParseDecimal(status.substr(9, 3)).value_or(0));
    for (std::string line = ReadLine(); !line.empty(); line = ReadLine()) {
      std::size_t colon = line.find(':');
      reply.headers[LowerAscii(line.substr(0, colon))] = Trim(line.substr(colon + 1));
    }
    std::size_t length = ParseDecimal(reply.headers["content-length"]).value_or(0);
    while (!head && in_.size() < length && Fill()) {
    }
    if (head) return reply;
    reply.body = in_.substr(0, length);
    in_.erase(0, length);
    return reply;
  }

  /// Sends a request and reads its answer.
  Reply Ask(std::string_view request) { return Send(request) ? Read() : Reply{}; }

  /// The server has ended the connection, and sent nothing more before.
  bool AtEnd() { return in_.empty() && ReadSome().empty(); }

 private:
  struct SslDeleter {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  void Set(int level, int name, int value) {
    (void)::setsockopt(socket_.get(), level, name, &value, sizeof value);
  }

  bool Fill() {
    std::string more = ReadSome();
    in_ += more;
    return !more.empty();
  }

  Fd socket_;
  std::unique_ptr<SSL_CTX, SslDeleter> context_;
  std::unique_ptr<SSL, SslDeleter> ssl_;
  bool connected_ = false;
  std::string in_;
};

/// Waits until `holds()`, for 20 s at most.
template <typename Holds>
bool Eventually(Holds holds) {
  for (int i = 0; i < 2000 && !holds(); ++i)
    (void)Cancel::Never().SleepFor(std::chrono::milliseconds(10));
  return holds();
}

inline std::string Get(std::string_view path) {
  return Cat("GET ", path, " HTTP/1.1\r\nHost: x\r\n\r\n");
}

inline std::string Post(std::string_view path, std::string_view body) {
  return Cat("POST ", path, " HTTP/1.1\r\nHost: x\r\nContent-Length: ", body.size(), "\r\n\r\n",
             body);
}

inline std::string Chunk(std::string_view piece) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string size;
  for (std::size_t left = piece.size(); left > 0; left /= 16)
    size.insert(size.begin(), kDigits[left % 16]);
  return Cat(size, "\r\n", piece, "\r\n");
}

inline std::string ChunkedHead(std::string_view path) {
  return Cat("POST ", path, " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
}

/// A handler that answers with what it was asked.
inline web::Answer Echo(const web::Request& request, const Cancel&) {
  web::Response response;
  response.body = Secret(Cat(request.method, ' ', request.path, ' ', request.body.Reveal()));
  return response;
}

/// A door that lets everybody through to `handler` but those who say "Authorization: no".
inline web::Door Guarded(web::Handler handler) {
  return [handler = std::move(handler)](const web::Request& head, const Cancel&) -> web::Entrance {
    if (head.Header("authorization") == "no") return web::Response{401, "", {}, Secret("no")};
    return handler;
  };
}

/// A plain server on loopback with these routes.
inline std::unique_ptr<web::Server> Serve(const web::Routes& routes,
                                          const web::Limits& limits = {},
                                          const web::ServerTls& tls = {}) {
  auto server = web::StartServer("127.0.0.1:0", tls, routes, limits);
  return server ? *std::move(server) : nullptr;
}

}  // namespace depot::test
