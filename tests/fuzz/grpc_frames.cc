
// HTTP/2 frames and the gRPC messages, headers and statuses in them, as a peer in either role may
// send them, in pieces of any size.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <nghttp2/nghttp2.h>

#include "driver/rpc/frame_batch.h"
#include "driver/rpc/h2_session.h"
#include "driver/rpc/server.h"
#include "driver/rpc/wire.h"

namespace depot::rpc {
namespace {

constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
constexpr std::string_view kNoSettings("\0\0\0\4\0\0\0\0\0", 9);

constexpr std::size_t kUnfinished = 96 << 10;

/// What the first byte of an input says.
constexpr unsigned kServer = 1;      ///< we are the server
constexpr unsigned kFramed = 2;      ///< the rest is cut into frames whose lengths are right
constexpr unsigned kOneByOne = 4;    ///< bytes arrive one at a time
constexpr unsigned kUnread = 8;      ///< nobody takes the messages
constexpr unsigned kAbandoned = 16;  ///< we reset what the peer has begun
constexpr unsigned kPackable = 32;   ///< the peer may pack its messages

/// Cuts the input into frames: type, flags, stream and a length of one byte come before each.
std::string Framed(std::string_view rest) {
  std::string out;
  while (rest.size() >= 4) {
    std::size_t size = std::min<std::size_t>(static_cast<unsigned char>(rest[3]), rest.size() - 4);
    out += {'\0', '\0', static_cast<char>(size), rest[0], rest[1], '\0', '\0', '\0', rest[2]};
    out += rest.substr(4, size);
    rest.remove_prefix(4 + size);
  }
  return out;
}

/// One end of a connection, with the least that its users do.
class End {
 public:
  explicit End(unsigned mode)
      : mode_(mode),
        session_(mode & kServer ? H2Session::Role::kServer : H2Session::Role::kClient,
                 {.message = 64 << 10, .unfinished = kUnfinished},
                 [] { return std::make_shared<H2Stream>(); }) {
    Headers headers = {{":method", "POST"}, {":scheme", "http"}, {":path", "/t.T/X"}};
    if (mode & kPackable) headers.emplace_back("grpc-encoding", "gzip");
    for (int i = 0; i < 3 && (mode & kServer) == 0; ++i)
      Send(*session_.Open(headers));
    Write();
  }

  void Take(std::string_view bytes) {
    std::size_t step = mode_ & kOneByOne ? 1 : 777;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
      session_.Receive(bytes.substr(0, step), now_);
      if (session_.unfinished() > kUnfinished) std::abort();
      now_ += std::chrono::microseconds(100);
      Write();
    }
    session_.EndInput();
    React();
  }

 private:
  void Send(H2Stream& stream) {
    std::string message;
    AppendFrame(message, 300);
    session_.Send(stream, {Bytes(message + std::string(300, 'm'))});
    session_.EndSend(stream, std::nullopt);
  }

  void Write() {
    React();
    FrameBatch batch;
    while (session_.FillBatch(batch, 4096, now_))
      (void)batch.Take();
    React();
  }

  void React() {
    H2Events events = session_.TakeEvents();
    for (const auto& request : events.requests) {
      (void)ReadMetadata(rpc::Headers(request->headers));
      session_.Respond(*request, {{":status", "200"}, {"content-type", "application/grpc"}});
      if (H2Session::CanSend(*request)) Send(*request);
    }
    for (const auto& stream : events.arrived) {
      if (mode_ & kAbandoned) session_.Reset(*stream, NGHTTP2_CANCEL);
      while ((mode_ & kUnread) == 0) {
        auto message = session_.TakeMessage(*stream);
        if (!message || !*message) break;
      }
    }
    for (const auto& stream : events.ended) {
      Status status;
      if (ReadStatus(stream->trailers, status)) (void)ToError(status);
    }
  }

  const unsigned mode_;
  H2Session::Time now_{};
  H2Session session_;
};

}  // namespace
}  // namespace depot::rpc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace depot::rpc;
  if (size == 0) return 0;
  unsigned mode = data[0];
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string bytes(rest);
  if (mode & kFramed) {
    bytes = mode & kServer ? kPreface : "";
    bytes += kNoSettings;
    bytes += Framed(rest);
  }
  End(mode).Take(bytes);
  return 0;
}
