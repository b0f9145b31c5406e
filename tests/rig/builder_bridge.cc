// A remote builder for tests, made of a Docker daemon.
//
// dockerd serves the whole BuildKit API on its own socket after `POST /grpc` with `Upgrade: h2c`
// (moby api/server/router/grpc). This program accepts connections, performs that upgrade on the
// daemon's socket and then copies bytes both ways, so that a client sees what a remote buildkitd
// would show it: gRPC on TCP behind mutual TLS, on plain TCP, or on a unix socket.
//
//   builder_bridge --engine SOCKET --tls-cert F --tls-key F --client-ca F [--port N]
//   builder_bridge --engine SOCKET --plain [--port N]
//   builder_bridge --engine SOCKET --listen-unix PATH
//
// The first line on stdout is the port (or path) it listens on. SIGTERM ends it; so does the end of
// its parent when --die-with-parent is given. It copies as cheaply as it can, since benchmarks run
// through it: one thread per connection, large buffers, few system calls, and the cipher order a Go
// server would have.

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

constexpr size_t kBufferBytes = 512 * 1024;
constexpr size_t kTlsReadAheadBytes = 128 * 1024;
constexpr size_t kMaxReplyBytes = 16 * 1024;

struct Options {
  std::string engine;
  std::string tls_cert;
  std::string tls_key;
  std::string client_ca;
  std::string listen_unix;
  int port = 0;
  bool plain = false;
  bool die_with_parent = false;
};

[[noreturn]] void Die(const std::string& message) {
  fprintf(stderr, "builder_bridge: %s\n", message.c_str());
  exit(1);
}

std::string TlsErrors() {
  std::string text;
  while (unsigned long code = ERR_get_error()) {
    char line[256];
    ERR_error_string_n(code, line, sizeof line);
    text += text.empty() ? "" : "; ";
    text += line;
  }
  return text;
}

enum class Io { kDone, kWait, kEnd, kError };

/// One side of a connection: a non-blocking socket, with TLS on it or not. Owns both.
class Side {
 public:
  Side(int fd, SSL* tls) : fd_(fd), tls_(tls) {}
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;
  ~Side() {
    if (tls_ != nullptr) SSL_free(tls_);
    close(fd_);
  }

  int fd() const { return fd_; }

  /// Reads as much as fits; `got` may be above zero whatever is returned.
  Io Read(char* to, size_t room, size_t& got) {
    got = 0;
    while (got < room) {
      const ssize_t n = tls_ != nullptr ? SSL_read(tls_, to + got, static_cast<int>(room - got))
                                        : recv(fd_, to + got, room - got, 0);
      if (n > 0) {
        got += static_cast<size_t>(n);
        if (tls_ == nullptr) return Io::kDone;
        continue;
      }
      return Outcome(n);
    }
    return Io::kDone;
  }

  Io Write(const char* from, size_t size, size_t& put) {
    put = 0;
    while (put < size) {
      const ssize_t n = tls_ != nullptr ? SSL_write(tls_, from + put, static_cast<int>(size - put))
                                        : send(fd_, from + put, size - put, MSG_NOSIGNAL);
      if (n <= 0) return Outcome(n);
      put += static_cast<size_t>(n);
    }
    return Io::kDone;
  }

  void EndWriting() {
    if (tls_ != nullptr) SSL_shutdown(tls_);
    shutdown(fd_, SHUT_WR);
  }

 private:
  Io Outcome(ssize_t n) {
    if (tls_ == nullptr) {
      if (n == 0) return Io::kEnd;
      return errno == EAGAIN || errno == EINTR ? Io::kWait : Io::kError;
    }
    const int error = SSL_get_error(tls_, static_cast<int>(n));
    ERR_clear_error();
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return Io::kWait;
    return error == SSL_ERROR_ZERO_RETURN ? Io::kEnd : Io::kError;
  }

  int fd_;
  SSL* tls_;
};

/// The bytes on their way from one side to the other.
class Flow {
 public:
  Flow(Side& from, Side& to, std::string_view first) : from_(from), to_(to), buffer_(kBufferBytes) {
    memcpy(buffer_.data(), first.data(), first.size());
    end_ = first.size();
  }

  bool finished() const { return finished_; }
  bool wants_read() const { return !source_ended_ && begin_ == end_; }
  bool wants_write() const { return begin_ < end_; }

  /// Moves what can be moved without waiting. False: the connection is broken.
  bool Move() {
    while (!finished_) {
      if (wants_write()) {
        size_t put = 0;
        const Io io = to_.Write(buffer_.data() + begin_, end_ - begin_, put);
        begin_ += put;
        if (io == Io::kWait) return true;
        if (io != Io::kDone) return false;
      }
      if (source_ended_) {
        to_.EndWriting();
        finished_ = true;
        return true;
      }
      begin_ = end_ = 0;
      const Io io = from_.Read(buffer_.data(), buffer_.size(), end_);
      if (io == Io::kError) return false;
      if (io == Io::kEnd) source_ended_ = true;
      if (io == Io::kWait && end_ == 0) return true;
    }
    return true;
  }

 private:
  Side& from_;
  Side& to_;
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  bool source_ended_ = false;
  bool finished_ = false;
};

void SetNonBlocking(int fd) {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void CopyBothWays(Side& client, Side& engine, std::string_view first_from_engine) {
  Flow up(client, engine, "");
  Flow down(engine, client, first_from_engine);
  while (up.Move() && down.Move() && !(up.finished() && down.finished())) {
    pollfd fds[2] = {{client.fd(), 0, 0}, {engine.fd(), 0, 0}};
    if (up.wants_read()) fds[0].events |= POLLIN;
    if (up.wants_write()) fds[1].events |= POLLOUT;
    if (down.wants_read()) fds[1].events |= POLLIN;
    if (down.wants_write()) fds[0].events |= POLLOUT;
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return;
    // A broken connection is readable at once for ever when nobody asks for its bytes.
    for (const pollfd& p : fds) {
      if ((p.revents & (POLLERR | POLLNVAL)) != 0) return;
      if ((p.revents & POLLHUP) != 0 && (p.revents & (POLLIN | POLLOUT)) == 0) return;
    }
  }
}

/// A connection to the daemon on which BuildKit's gRPC has begun, or -1. `rest` gets what came
/// after the reply.
int OpenEngine(const std::string& path, std::string& rest) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  static constexpr std::string_view kRequest =
      "POST /grpc HTTP/1.1\r\nHost: builder\r\nContent-Length: 0\r\nConnection: Upgrade\r\n"
      "Upgrade: h2c\r\n\r\n";
  std::string reply;
  size_t end = std::string::npos;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      send(fd, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) == ssize_t(kRequest.size())) {
    char chunk[4096];
    while ((end = reply.find("\r\n\r\n")) == std::string::npos && reply.size() < kMaxReplyBytes) {
      const ssize_t n = recv(fd, chunk, sizeof chunk, 0);
      if (n <= 0) break;
      reply.append(chunk, static_cast<size_t>(n));
    }
  }
  if (end == std::string::npos || reply.rfind("HTTP/1.1 101", 0) != 0) {
    fprintf(stderr, "builder_bridge: no upgrade on %s: %s\n", path.c_str(),
            reply.empty() ? strerror(errno) : reply.substr(0, reply.find('\r')).c_str());
    close(fd);
    return -1;
  }
  rest = reply.substr(end + 4);
  return fd;
}

void Serve(int client_fd, SSL_CTX* context, const std::string& engine_path) {
  SSL* tls = nullptr;
  if (context != nullptr) {
    tls = SSL_new(context);
    SSL_set_fd(tls, client_fd);
    if (SSL_accept(tls) != 1) {
      fprintf(stderr, "builder_bridge: TLS handshake refused: %s\n", TlsErrors().c_str());
      SSL_free(tls);
      close(client_fd);
      return;
    }
  }
  Side client(client_fd, tls);
  std::string first;
  const int engine_fd = OpenEngine(engine_path, first);
  if (engine_fd < 0) return;
  Side engine(engine_fd, nullptr);
  SetNonBlocking(client_fd);
  SetNonBlocking(engine_fd);
  CopyBothWays(client, engine, first);
}

int SelectH2(SSL*,
             const unsigned char** out,
             unsigned char* out_length,
             const unsigned char* in,
             unsigned int in_length,
             void*) {
  static constexpr unsigned char kH2[] = {2, 'h', '2'};
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, kH2, sizeof kH2, in, in_length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

SSL_CTX* MakeTlsContext(const Options& options) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kTlsReadAheadBytes);
  SSL_CTX_set_alpn_select_cb(context, SelectH2, nullptr);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  const bool loaded =
      SSL_CTX_set_ciphersuites(
          context, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384") ==
          1 &&
      SSL_CTX_use_certificate_chain_file(context, options.tls_cert.c_str()) == 1 &&
      SSL_CTX_use_PrivateKey_file(context, options.tls_key.c_str(), SSL_FILETYPE_PEM) == 1 &&
      SSL_CTX_load_verify_locations(context, options.client_ca.c_str(), nullptr) == 1;
  if (!loaded) Die("cannot set up TLS: " + TlsErrors());
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options.client_ca.c_str()));
  return context;
}

int ListenTcp(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd, 64) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    Die("cannot listen on 127.0.0.1:" + std::to_string(port) + ": " + strerror(errno));
  }
  printf("%d\n", ntohs(address.sin_port));
  return fd;
}

int ListenUnix(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) Die("socket path too long: " + path);
  memcpy(address.sun_path, path.c_str(), path.size());
  unlink(path.c_str());
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 64) != 0) {
    Die("cannot listen on " + path + ": " + strerror(errno));
  }
  printf("%s\n", path.c_str());
  return fd;
}

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--plain") {
      options.plain = true;
      continue;
    }
    if (flag == "--die-with-parent") {
      options.die_with_parent = true;
      continue;
    }
    if (i + 1 == argc) Die("no value for " + std::string(flag));
    const std::string value = argv[++i];
    if (flag == "--engine") {
      options.engine = value;
    } else if (flag == "--tls-cert") {
      options.tls_cert = value;
    } else if (flag == "--tls-key") {
      options.tls_key = value;
    } else if (flag == "--client-ca") {
      options.client_ca = value;
    } else if (flag == "--listen-unix") {
      options.listen_unix = value;
    } else if (flag == "--port") {
      options.port = std::stoi(value);
    } else {
      Die("unknown flag " + std::string(flag));
    }
  }
  if (options.engine.empty()) Die("--engine is needed");
  const bool tls = !options.tls_cert.empty();
  if (tls == (options.plain || !options.listen_unix.empty())) {
    Die("one of --tls-cert, --plain and --listen-unix is needed");
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = ParseOptions(argc, argv);
  signal(SIGPIPE, SIG_IGN);
  if (options.die_with_parent) prctl(PR_SET_PDEATHSIG, SIGTERM);
  SSL_CTX* context = options.tls_cert.empty() ? nullptr : MakeTlsContext(options);
  const bool unix_socket = !options.listen_unix.empty();
  const int listener = unix_socket ? ListenUnix(options.listen_unix) : ListenTcp(options.port);
  fflush(stdout);
  while (true) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      Die(std::string("accept: ") + strerror(errno));
    }
    const int on = 1;
    if (!unix_socket) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::thread(Serve, fd, context, options.engine).detach();
  }
}
