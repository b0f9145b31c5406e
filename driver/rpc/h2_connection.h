#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "driver/base/task_group.h"
#include "driver/rpc/batch_size.h"
#include "driver/rpc/byte_stream.h"

struct nghttp2_session;

namespace depot::rpc {

class FrameBatch;

using Headers = std::vector<std::pair<std::string, std::string>>;

/// One HTTP/2 stream that carries gRPC messages both ways (grpc/doc/PROTOCOL-HTTP2.md). Plain
/// state: everything in it is guarded by its connection's mutex.
struct H2Stream {
  std::int32_t id = 0;

  // What the peer sent.
  std::condition_variable_any arrived;  ///< a message, or the end
  Headers headers;
  Headers trailers;
  std::size_t header_bytes = 0;
  bool headers_done = false;
  bool remote_closed = false;  ///< the peer sent END_STREAM
  std::deque<std::string> messages;
  std::size_t queued_bytes = 0;      ///< in `messages`
  std::size_t unconsumed_bytes = 0;  ///< held back from the peer's flow-control window
  std::string prefix;                ///< of the message that is arriving, up to 5 bytes
  std::string body;                  ///< what has arrived of it
  bool malformed = false;            ///< compressed or larger than allowed

  // What we send.
  std::condition_variable_any drained;  ///< half of `outgoing`, or all is over
  std::deque<Bytes> outgoing;
  std::size_t outgoing_bytes = 0;
  bool sender_waits = false;  ///< until there is room in `outgoing`
  bool end_requested = false;
  std::optional<Headers> outgoing_trailers;

  bool closed = false;  ///< gone, whatever the reason
  std::uint32_t reset_code = 0;
};

/// HTTP/2 in either role on a ByteStream, by nghttp2: a reader and a writer thread, one mutex, and
/// bounded queues per stream. Both the connection to a builder (client) and the session that a
/// builder opens inside it (server) are one of these. Public calls may come from any thread.
class H2Connection {
 public:
  /// Which end of the connection we are; only a client opens streams.
  enum class Role { kClient, kServer };
  using StreamPtr = std::shared_ptr<H2Stream>;

  /// `on_request` (server only) is called on the reader thread for every new stream; it must not
  /// block. `max_message` bounds one received message, in bytes.
  H2Connection(Role role,
               std::unique_ptr<ByteStream> stream,
               std::size_t max_message,
               std::function<void(StreamPtr)> on_request);
  ~H2Connection();

  /// Starts the threads; call it once, before anything else.
  void Start();

  H2Connection(const H2Connection&) = delete;
  H2Connection& operator=(const H2Connection&) = delete;

  /// Client: opens a stream with these request headers. On a dead connection it is closed already.
  StreamPtr Open(const Headers& headers);

  /// Server: answers a request; messages follow by Send().
  void Respond(const StreamPtr& stream, const Headers& headers);

  /// Queues bytes; waits while as much as two batches (BatchSize) is queued on this stream.
  Result<> Send(const StreamPtr& stream, BytesList pieces, const Cancel& cancel);

  /// Nothing more follows but the trailers (server).
  void EndSend(const StreamPtr& stream, std::optional<Headers> trailers);

  /// The next message; nullopt when the peer has sent its last one or the stream is gone.
  Result<std::optional<std::string>> Receive(const StreamPtr& stream, const Cancel& cancel);

  /// Waits until the peer has sent its last word on the stream.
  Result<> WaitEnd(const StreamPtr& stream, const Cancel& cancel);

  /// Runs `look` on the stream's state under the mutex.
  template <typename Look>
  auto With(const StreamPtr& stream, Look look) {
    std::lock_guard lock(mutex_);
    return look(*stream);
  }

  void Reset(const StreamPtr& stream, std::uint32_t code);

  /// Success while the connection lives; why it is gone otherwise.
  Result<> Alive() const;

  /// Waits until the connection is gone: success when the peer ended it properly.
  Result<> WaitClosed(const Cancel& cancel);

  /// Ends the connection; the first reason is kept. Never blocks.
  void Close(const Error& reason);

 private:
  struct Callbacks;  // nghttp2's side, in the .cc
  using PingData = std::array<std::uint8_t, 8>;

  Result<> ReadLoop(const Cancel& cancel);
  Result<> WriteLoop(const Cancel& cancel);
  bool WaitForBatch(std::unique_lock<std::mutex>& lock, FrameBatch& batch, const Cancel& cancel);
  bool FillBatch(FrameBatch& batch);
  void TakeFrames(FrameBatch& batch, std::size_t up_to);
  void AnswerPings(FrameBatch& batch);
  std::size_t MaxOutgoing() const { return 2 * batch_size_.limit(); }
  static void CloseLocked(H2Stream& stream, std::uint32_t code);
  void FailLocked(const Error& reason);
  void AcceptData(const StreamPtr& stream, std::string_view data);

  const Role role_;
  const std::size_t max_message_;
  const std::function<void(StreamPtr)> on_request_;
  std::unique_ptr<ByteStream> stream_;

  mutable std::mutex mutex_;
  std::condition_variable_any wake_writer_;
  std::condition_variable_any closed_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, StreamPtr> streams_;
  std::vector<StreamPtr> new_requests_;
  std::vector<PingData> pings_;  // without an answer
  Cancel::Clock::time_point answer_pings_at_;
  /// To be notified with the mutex free: who wakes up while it is held goes to sleep again at once.
  std::vector<StreamPtr> arrived_;  // by the reader
  std::vector<StreamPtr> drained_;  // by the writer
  std::optional<Error> failure_;
  std::optional<Error> leaving_;  // why it will fail once the last frames are out
  bool ended_by_peer_ = false;
  std::string goodbye_;  ///< what the peer said in GOAWAY
  BatchSize batch_size_;
  FrameBatch* batch_ = nullptr;  // the one being filled

  TaskGroup threads_;
};

}  // namespace depot::rpc
