#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "driver/rpc/byte_stream.h"
#include "driver/rpc/dial.h"

namespace depot::rpc {
namespace {

/// Whatever else a connected socket says, the peer is not there any more.
Error LinkError(std::string_view what, int error_number) {
  Error error = SystemError(what, error_number);
  const bool in_time = error.code() != ErrorCode::kTimeout;
  return in_time ? Error(ErrorCode::kUnavailable, error.message()) : error;
}

class SocketStream final : public ByteStream {
 public:
  explicit SocketStream(Fd socket) : socket_(std::move(socket)) {
    ::fcntl(socket_.get(), F_SETFL, ::fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
  }

  Result<std::size_t> Read(char* into, std::size_t capacity, const Cancel& cancel) override {
    while (true) {
      ssize_t got = ::read(socket_.get(), into, capacity);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno == EAGAIN) {
        TRY(WaitForFd(socket_.get(), POLLIN, cancel));
      } else if (errno == ECONNRESET) {
        // A peer that hangs up before it has read all that we wrote; it is chance whether its end
        // or this comes first.
        return Fail(ErrorCode::kUnavailable, "the peer closed the connection: connection reset");
      } else if (errno != EINTR) {
        return Fail(LinkError("read", errno));
      }
    }
  }

  Result<> Write(const BytesList& pieces, const Cancel& cancel) override {
    std::size_t next = 0;    // piece
    std::size_t offset = 0;  // within it
    while (next < pieces.size()) {
      iovec vectors[64];
      std::size_t count = 0;
      for (std::size_t i = next; i < pieces.size() && count < 64; ++i, ++count) {
        std::string_view view = pieces[i].view().substr(i == next ? offset : 0);
        vectors[count] = {const_cast<char*>(view.data()), view.size()};
      }
      msghdr message{};
      message.msg_iov = vectors;
      message.msg_iovlen = count;
      ssize_t put = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
      if (put < 0 && errno == EAGAIN) {
        TRY(WaitForFd(socket_.get(), POLLOUT, cancel));
      } else if (put < 0 && errno != EINTR) {
        return Fail(LinkError("write", errno));
      }
      for (std::size_t left = put > 0 ? static_cast<std::size_t>(put) : 0; next < pieces.size();) {
        std::size_t rest = pieces[next].size() - offset;
        if (left < rest) {
          offset += left;
          break;
        }
        left -= rest;
        offset = 0;
        ++next;
      }
    }
    return {};
  }

  void Close() override { ::shutdown(socket_.get(), SHUT_RDWR); }

  void Outlast(std::chrono::seconds silence) override { LimitSilence(socket_.get(), silence); }

 private:
  Fd socket_;
};

class PrefixedStream final : public ByteStream {
 public:
  PrefixedStream(std::string first, std::unique_ptr<ByteStream> stream)
      : first_(std::move(first)), stream_(std::move(stream)) {}

  Result<std::size_t> Read(char* into, std::size_t capacity, const Cancel& cancel) override {
    if (taken_ < first_.size()) {
      std::size_t count = std::min(capacity, first_.size() - taken_);
      std::memcpy(into, first_.data() + taken_, count);
      taken_ += count;
      return count;
    }
    return stream_->Read(into, capacity, cancel);
  }

  Result<> Write(const BytesList& pieces, const Cancel& cancel) override {
    return stream_->Write(pieces, cancel);
  }

  void Close() override { stream_->Close(); }

  void Outlast(std::chrono::seconds silence) override { stream_->Outlast(silence); }

 private:
  std::string first_;
  std::size_t taken_ = 0;
  std::unique_ptr<ByteStream> stream_;
};

}  // namespace

std::unique_ptr<ByteStream> MakeSocketStream(Fd socket) {
  return std::make_unique<SocketStream>(std::move(socket));
}

std::unique_ptr<ByteStream> MakePrefixedStream(std::string first,
                                               std::unique_ptr<ByteStream> stream) {
  return std::make_unique<PrefixedStream>(std::move(first), std::move(stream));
}

}  // namespace depot::rpc
