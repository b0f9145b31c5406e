#include "pool/front/copy.h"

#include <cerrno>
#include <vector>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

namespace depot::front {
namespace {

constexpr std::size_t kBuffer = 256 << 10;

enum class Io { kDone, kWait, kEnd, kBroken };

/// One end of the way: a non-blocking socket, with TLS on it or not.
class Side {
 public:
  Side(int socket, SSL* tls) : socket_(socket), tls_(tls) {}

  int socket() const { return socket_; }

  /// Reads what is there, up to `room`; `got` may be above zero whatever is returned.
  Io Read(char* to, std::size_t room, std::size_t& got) {
    got = 0;
    while (got < room) {
      // What SSL_get_error() finds in this thread's queue it takes for this call's.
      ERR_clear_error();
      const ssize_t part = tls_ != nullptr ? SSL_read(tls_, to + got, static_cast<int>(room - got))
                                           : ::recv(socket_, to + got, room - got, 0);
      if (part <= 0) return Outcome(part);
      got += static_cast<std::size_t>(part);
      // The kernel gives all it has at once, TLS one record.
      if (tls_ == nullptr) return Io::kDone;
    }
    return Io::kDone;
  }

  Io Write(const char* from, std::size_t size, std::size_t& put) {
    put = 0;
    while (put < size) {
      ERR_clear_error();
      const ssize_t part = tls_ != nullptr
                               ? SSL_write(tls_, from + put, static_cast<int>(size - put))
                               : ::send(socket_, from + put, size - put, MSG_NOSIGNAL);
      if (part <= 0) return Outcome(part);
      put += static_cast<std::size_t>(part);
    }
    return Io::kDone;
  }

  void EndWriting() {
    if (tls_ != nullptr) SSL_shutdown(tls_);
    ::shutdown(socket_, SHUT_WR);
  }

 private:
  Io Outcome(ssize_t result) {
    if (tls_ == nullptr) {
      if (result == 0) return Io::kEnd;
      return errno == EAGAIN || errno == EINTR ? Io::kWait : Io::kBroken;
    }
    const int error = SSL_get_error(tls_, static_cast<int>(result));
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return Io::kWait;
    return error == SSL_ERROR_ZERO_RETURN ? Io::kEnd : Io::kBroken;
  }

  const int socket_;
  SSL* const tls_;
};

/// The bytes on their way from one side to the other.
class Flow {
 public:
  Flow(Side& from, Side& to) : from_(from), to_(to), buffer_(kBuffer) {}

  bool finished() const { return finished_; }
  bool wants_read() const { return !source_ended_ && begin_ == end_; }
  bool wants_write() const { return begin_ < end_; }

  /// Moves what can be moved without waiting. False: one side is broken.
  bool Move() {
    while (!finished_) {
      if (wants_write()) {
        std::size_t put = 0;
        const Io io = to_.Write(buffer_.data() + begin_, end_ - begin_, put);
        begin_ += put;
        if (io != Io::kDone) return io == Io::kWait;
      }
      if (source_ended_) {
        to_.EndWriting();
        finished_ = true;
        return true;
      }
      begin_ = end_ = 0;
      const Io io = from_.Read(buffer_.data(), buffer_.size(), end_);
      if (io == Io::kBroken) return false;
      if (io == Io::kEnd) source_ended_ = true;
      if (io == Io::kWait && end_ == 0) return true;
    }
    return true;
  }

 private:
  Side& from_;
  Side& to_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool source_ended_ = false;
  bool finished_ = false;
};

short Events(const Flow& out, const Flow& in) {
  return static_cast<short>((out.wants_read() ? POLLIN : 0) | (in.wants_write() ? POLLOUT : 0));
}

/// A broken link is readable at once for ever when nobody asks for its bytes.
bool IsDead(const pollfd& link) {
  const bool idle = (link.revents & (POLLIN | POLLOUT)) == 0;
  return (link.revents & (POLLERR | POLLNVAL)) != 0 || ((link.revents & POLLHUP) != 0 && idle);
}

}  // namespace

void CopyBothWays(SSL* client, int client_socket, int builder_socket, const Cancel& cancel) {
  Side outside(client_socket, client);
  Side inside(builder_socket, nullptr);
  Flow up(outside, inside);
  Flow down(inside, outside);
  while (!cancel.cancelled() && up.Move() && down.Move() && !(up.finished() && down.finished())) {
    pollfd links[] = {{outside.socket(), Events(up, down), 0},
                      {inside.socket(), Events(down, up), 0},
                      {cancel.wake_fd(), POLLIN, 0}};
    if (::poll(links, std::size(links), -1) < 0 && errno != EINTR) return;
    if (IsDead(links[0]) || IsDead(links[1])) return;
  }
}

}  // namespace depot::front
