#pragma once

#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "driver/base/cancel.h"
#include "driver/base/fd.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"

namespace depot::test {

struct SeenRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;                            ///< unchunked
};

/// PEM files of a TLS server; `client_ca` makes it demand a client certificate.
struct ServerTls {
  std::string certificate;
  std::string key;
  std::string client_ca;
};

/// One accepted connection, plain or TLS. Reads end with "" when the server stops.
class Connection {
 public:
  Connection(Fd fd, SSL_CTX* tls, const Cancel& cancel) : fd_(std::move(fd)), cancel_(cancel) {
    if (tls == nullptr) return;
    ssl_.reset(SSL_new(tls));
    SSL_set_fd(ssl_.get(), fd_.get());
    broken_ = SSL_accept(ssl_.get()) != 1;
    if (broken_) Linger();
  }

  std::string ReadSome() {
    char buffer[65536];
    bool pending = ssl_ && SSL_pending(ssl_.get()) > 0;
    if (broken_ || (!pending && !WaitForFd(fd_.get(), POLLIN, cancel_))) return "";
    ssize_t got = ssl_ ? SSL_read(ssl_.get(), buffer, sizeof buffer)
                       : ::read(fd_.get(), buffer, sizeof buffer);
    return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : "";
  }

  void Write(std::string_view data) {
    while (!broken_ && !data.empty()) {
      ssize_t put = ssl_ ? SSL_write(ssl_.get(), data.data(), static_cast<int>(data.size()))
                         : ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (put <= 0) return;
      data.remove_prefix(static_cast<std::size_t>(put));
    }
  }

  /// A whole answer with Content-Length.
  void Reply(int status, std::string_view body, std::string_view headers = "") {
    Write(Cat("HTTP/1.1 ", status, " X\r\n", headers, "Content-Length: ", body.size(), "\r\n\r\n",
              body));
  }

  /// The request line and headers; false when the peer went away.
  bool ReadHead(SeenRequest& request) {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill()) return false;
    }
    std::string head = buffer_.substr(0, end);
    buffer_.erase(0, end + 4);
    std::vector<std::string_view> lines = Split(head, '\n');
    std::vector<std::string_view> words = Split(Trim(lines[0]), ' ');
    request = {};
    request.method = words[0];
    request.target = words.size() > 1 ? words[1] : "";
    for (std::size_t i = 1; i < lines.size(); ++i) {
      std::size_t colon = lines[i].find(':');
      if (colon == std::string_view::npos) continue;
      request.headers[LowerAscii(lines[i].substr(0, colon))] = Trim(lines[i].substr(colon + 1));
    }
    return true;
  }

  bool ReadBody(SeenRequest& request) {
    if (request.headers["transfer-encoding"] != "chunked") {
      std::size_t length = ParseDecimal(request.headers["content-length"]).value_or(0);
      while (buffer_.size() < length) {
        if (!Fill()) return false;
      }
      request.body = buffer_.substr(0, length);
      buffer_.erase(0, length);
      return true;
    }
    while (true) {
      std::size_t line = 0;
      while ((line = buffer_.find("\r\n")) == std::string::npos) {
        if (!Fill()) return false;
      }
      std::size_t length = std::strtoul(buffer_.c_str(), nullptr, 16);
      while (buffer_.size() < line + length + 4) {
        if (!Fill()) return false;
      }
      request.body.append(buffer_, line + 2, length);
      buffer_.erase(0, line + length + 4);
      if (length == 0) return true;
    }
  }

  /// Hangs up without a word.
  void Break() {
    broken_ = true;
    ::shutdown(fd_.get(), SHUT_RDWR);
  }

  /// Until the server is stopped or the peer hangs up.
  void StaySilent() {
    while (!ReadSome().empty()) {
    }
  }

  /// Ends the connection now.
  void HangUp() {
    ::shutdown(fd_.get(), SHUT_RDWR);
    broken_ = true;
  }

  const Cancel& cancel() const { return cancel_; }

 private:
  struct SslDeleter {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  /// Closing with unread bytes would be a reset, which may overtake the TLS alert.
  void Linger() {
    ::shutdown(fd_.get(), SHUT_WR);
    char ignored[4096];
    while (WaitForFd(fd_.get(), POLLIN, cancel_) &&
           ::read(fd_.get(), ignored, sizeof ignored) > 0) {
    }
  }

  bool Fill() {
    std::string more = ReadSome();
    buffer_ += more;
    return !more.empty();
  }

  Fd fd_;
  Cancel cancel_;
  std::unique_ptr<SSL, SslDeleter> ssl_;
  std::string buffer_;
  bool broken_ = false;
};

/// A real server on a loopback port or a unix socket; each connection has its own thread.
class TestServer {
 public:
  using Serve = std::function<void(Connection&)>;

  explicit TestServer(Serve serve, const ServerTls& tls = {}) : serve_(std::move(serve)) {
    StartTls(tls);
    listener_.Reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    (void)::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size);
    (void)::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    Listen();
  }

  TestServer(Serve serve, const std::string& unix_path) : serve_(std::move(serve)) {
    listener_.Reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, unix_path.c_str(), sizeof address.sun_path - 1);
    (void)::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    Listen();
  }

  /// Answers every request of every connection with `answer`.
  static Serve Always(std::function<void(Connection&, SeenRequest&)> answer) {
    return [answer = std::move(answer)](Connection& connection) {
      SeenRequest request;
      while (connection.ReadHead(request) && connection.ReadBody(request)) {
        answer(connection, request);
      }
    };
  }

  int port() const { return port_; }
  std::string Url(std::string_view path = "/") const {
    return Cat(tls_ ? "https" : "http", "://127.0.0.1:", port_, path);
  }
  int connections() {
    std::lock_guard lock(mutex_);
    return connections_;
  }

 private:
  struct ContextDeleter {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  void StartTls(const ServerTls& tls) {
    if (tls.certificate.empty()) return;
    tls_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_use_certificate_chain_file(tls_.get(), tls.certificate.c_str());
    SSL_CTX_use_PrivateKey_file(tls_.get(), tls.key.c_str(), SSL_FILETYPE_PEM);
    if (tls.client_ca.empty()) return;
    SSL_CTX_load_verify_locations(tls_.get(), tls.client_ca.c_str(), nullptr);
    SSL_CTX_set_verify(tls_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }

  void Listen() {
    (void)::listen(listener_.get(), 16);
    threads_.Start("accept", [this](const Cancel& cancel) -> Result<> {
      while (WaitForFd(listener_.get(), POLLIN, cancel)) {
        auto fd = std::make_shared<Fd>(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        {
          std::lock_guard lock(mutex_);
          ++connections_;
        }
        threads_.Start("serve", [this, fd](const Cancel& stop) -> Result<> {
          Connection connection(std::move(*fd), tls_.get(), stop);
          serve_(connection);
          return {};
        });
      }
      return {};
    });
  }

  Serve serve_;
  std::unique_ptr<SSL_CTX, ContextDeleter> tls_;
  Fd listener_;
  int port_ = 0;
  std::mutex mutex_;
  int connections_ = 0;
  TaskGroup threads_{Cancel::Never()};  // last: joins before the rest goes
};

}  // namespace depot::test
