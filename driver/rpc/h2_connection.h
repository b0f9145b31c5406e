#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "driver/base/task_group.h"
#include "driver/rpc/batch_size.h"
#include "driver/rpc/byte_stream.h"
#include "driver/rpc/h2_session.h"

namespace depot::rpc {

/// The stream of one call, with what its threads wait on. Guarded by its connection's mutex.
struct H2Call final : H2Stream {
  std::condition_variable_any arrived;  ///< a message, or the end
  std::condition_variable_any drained;  ///< half of `outgoing`, or all is over
};

/// Moves the bytes of an H2Session over a ByteStream: a reader and a writer thread, one mutex, and
/// bounded queues per stream. Both the connection to a builder (client) and the session that a
/// builder opens inside it (server) are one of these. Public calls may come from any thread.
class H2Connection {
 public:
  using Role = H2Session::Role;
  using StreamPtr = std::shared_ptr<H2Call>;

  /// `on_request` (server only) is called on the reader thread for every new stream; it must not
  /// block. What exceeds `limits` is refused: see H2Stream::fault.
  H2Connection(Role role,
               std::unique_ptr<ByteStream> stream,
               H2Limits limits,
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

  /// The next message; nullopt when the peer has sent its last one or the stream is gone, and the
  /// fault as an Error when nothing more is taken from it.
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

  /// Whether the peer has said GOAWAY.
  bool Dismissed() const;

  /// Waits until the connection is gone: success when the peer ended it properly.
  Result<> WaitClosed(const Cancel& cancel);

  /// Ends the connection; the first reason is kept. Never blocks.
  void Close(const Error& reason);

  /// ByteStream::Outlast() of its stream.
  void Outlast(std::chrono::seconds silence) { stream_->Outlast(silence); }

 private:
  Result<> ReadLoop(const Cancel& cancel);
  Result<> WriteLoop(const Cancel& cancel);
  bool WaitForBatch(std::unique_lock<std::mutex>& lock, FrameBatch& batch, const Cancel& cancel);
  std::size_t MaxOutgoing() const { return 2 * batch_size_.limit(); }
  void Wake(const H2Events& events);

  const std::function<void(StreamPtr)> on_request_;
  std::unique_ptr<ByteStream> stream_;

  mutable std::mutex mutex_;
  std::condition_variable_any wake_writer_;
  std::condition_variable_any closed_;
  H2Session session_;
  bool ended_by_peer_ = false;
  BatchSize batch_size_;

  TaskGroup threads_;
};

}  // namespace depot::rpc
