#include "driver/rpc/h2_connection.h"

#include <algorithm>
#include <cstring>

#include <nghttp2/nghttp2.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/rpc/frame_batch.h"
#include "driver/rpc/h2_callbacks.h"

namespace depot::rpc {
namespace {

constexpr std::size_t kReadSize = 256 << 10;
/// What a message costs beyond its bytes, so that empty ones are bounded too.
constexpr std::size_t kMessageOverhead = 64;
constexpr std::size_t kFramePrefix = 5;

Error ProtocolError(std::string_view reason) {
  return Error(ErrorCode::kInvalid, Cat("the peer does not speak HTTP/2: ", reason))
      .WithHint("check the port, and whether it wants TLS");
}

}  // namespace

H2Connection::H2Connection(Role role,
                           std::unique_ptr<ByteStream> stream,
                           std::size_t max_message,
                           std::function<void(StreamPtr)> on_request)
    : role_(role),
      max_message_(max_message),
      on_request_(std::move(on_request)),
      stream_(std::move(stream)),
      session_(Callbacks::MakeSession(this)),
      threads_(Cancel::Never()) {}

void H2Connection::Start() {
  threads_.Start("h2-read", [this](const Cancel& cancel) { return ReadLoop(cancel); });
  threads_.Start("h2-write", [this](const Cancel& cancel) { return WriteLoop(cancel); });
  // Without its threads nothing would ever end the calls.
  if (threads_.cancel().cancelled()) Close(threads_.cancel().error());
}

H2Connection::~H2Connection() {
  Close(Error(ErrorCode::kCancelled, "the connection was closed"));
  threads_.Stop(Error(ErrorCode::kCancelled, "the connection was closed"));
  (void)threads_.Wait();
  nghttp2_session_del(session_);
}

H2Connection::StreamPtr H2Connection::Open(const Headers& headers) {
  auto stream = std::make_shared<H2Stream>();
  std::lock_guard lock(mutex_);
  if (failure_) {
    stream->closed = true;
    return stream;
  }
  std::int32_t id = Callbacks::SubmitRequest(session_, headers);
  if (id < 0) {
    stream->closed = true;
    return stream;
  }
  stream->id = id;
  streams_[id] = stream;
  wake_writer_.notify_one();
  return stream;
}

void H2Connection::Respond(const StreamPtr& stream, const Headers& headers) {
  std::lock_guard lock(mutex_);
  if (stream->closed) return;
  Callbacks::SubmitResponse(session_, stream->id, headers);
  wake_writer_.notify_one();
}

Result<> H2Connection::Send(const StreamPtr& stream, BytesList pieces, const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  cancel.Wait(lock, stream->drained, [&] {
    if (stream->closed || stream->outgoing_bytes < MaxOutgoing()) return true;
    stream->sender_waits = true;
    return false;
  });
  if (stream->closed || stream->end_requested) {
    return Fail(failure_ ? *failure_ : Error(ErrorCode::kUnavailable, "the call has ended"));
  }
  TRY(cancel.Check());
  for (Bytes& piece : pieces) {
    if (piece.empty()) continue;
    stream->outgoing_bytes += piece.size();
    stream->outgoing.push_back(std::move(piece));
  }
  nghttp2_session_resume_data(session_, stream->id);
  lock.unlock();
  wake_writer_.notify_one();
  return {};
}

void H2Connection::EndSend(const StreamPtr& stream, std::optional<Headers> trailers) {
  std::lock_guard lock(mutex_);
  if (stream->closed || stream->end_requested) return;
  stream->end_requested = true;
  stream->outgoing_trailers = std::move(trailers);
  nghttp2_session_resume_data(session_, stream->id);
  wake_writer_.notify_one();
}

Result<std::optional<std::string>> H2Connection::Receive(const StreamPtr& stream,
                                                         const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  bool ready = cancel.Wait(lock, stream->arrived, [&] {
    return !stream->messages.empty() || stream->remote_closed || stream->closed;
  });
  if (!ready) return Fail(cancel.error());
  if (stream->messages.empty()) {
    if (stream->malformed) {
      return Fail(ErrorCode::kInvalid, "the peer sent a message that is too large or compressed");
    }
    return std::nullopt;
  }
  std::string message = std::move(stream->messages.front());
  stream->messages.pop_front();
  stream->queued_bytes -= message.size() + kMessageOverhead;
  if (stream->unconsumed_bytes > 0 && stream->queued_bytes <= kMaxQueued / 2 && !stream->closed) {
    nghttp2_session_consume_stream(session_, stream->id,
                                   std::exchange(stream->unconsumed_bytes, 0));
    wake_writer_.notify_one();
  }
  return message;
}

Result<> H2Connection::WaitEnd(const StreamPtr& stream, const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  bool ended =
      cancel.Wait(lock, stream->arrived, [&] { return stream->remote_closed || stream->closed; });
  if (!ended) return Fail(cancel.error());
  return {};
}

void H2Connection::Reset(const StreamPtr& stream, std::uint32_t code) {
  std::lock_guard lock(mutex_);
  // Only once: a second RST_STREAM for a call whose HEADERS never went out would be a connection
  // error to the peer (RFC 9113, 5.1).
  if (stream->closed) return;
  CloseLocked(*stream, code);
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream->id, code);
  wake_writer_.notify_one();
}

void H2Connection::CloseLocked(H2Stream& stream, std::uint32_t code) {
  stream.closed = true;
  stream.reset_code = code;
  stream.outgoing.clear();
  stream.outgoing_bytes = 0;
  stream.arrived.notify_all();
  stream.drained.notify_all();
}

Result<> H2Connection::Alive() const {
  std::lock_guard lock(mutex_);
  if (failure_) return Fail(*failure_);
  if (leaving_) return Fail(*leaving_);
  return {};
}

Result<> H2Connection::WaitClosed(const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  if (!cancel.Wait(lock, closed_, [&] { return failure_.has_value(); })) {
    return Fail(cancel.error());
  }
  if (ended_by_peer_) return {};
  return Fail(*failure_);
}

void H2Connection::Close(const Error& reason) {
  {
    std::lock_guard lock(mutex_);
    FailLocked(reason);
  }
  stream_->Close();
}

void H2Connection::FailLocked(const Error& reason) {
  if (failure_) return;
  failure_ = reason;
  for (auto& [id, stream] : streams_) {
    if (!stream->closed) CloseLocked(*stream, NGHTTP2_NO_ERROR);
  }
  streams_.clear();
  wake_writer_.notify_all();
  closed_.notify_all();
}

void H2Connection::AcceptData(const StreamPtr& stream, std::string_view data) {
  auto take = [&data](std::string& into, std::size_t wanted) {
    std::size_t part = std::min(data.size(), wanted - into.size());
    into.append(data.substr(0, part));
    data.remove_prefix(part);
  };
  while (!data.empty()) {
    if (stream->prefix.size() < kFramePrefix) take(stream->prefix, kFramePrefix);
    if (stream->prefix.size() < kFramePrefix) return;
    auto byte = [&](std::size_t i) {
      return std::size_t{static_cast<unsigned char>(stream->prefix[i])};
    };
    std::size_t length = byte(1) << 24 | byte(2) << 16 | byte(3) << 8 | byte(4);
    if (byte(0) != 0 || length > max_message_) {
      stream->malformed = true;
      return;
    }
    take(stream->body, length);
    if (stream->body.size() < length) return;
    stream->queued_bytes += length + kMessageOverhead;
    stream->messages.push_back(std::exchange(stream->body, {}));
    stream->prefix.clear();
    if (stream->messages.size() == 1) arrived_.push_back(stream);
  }
}

Result<> H2Connection::ReadLoop(const Cancel& cancel) {
  auto buffer = std::make_unique<char[]>(kReadSize);
  while (true) {
    Result<std::size_t> got = stream_->Read(buffer.get(), kReadSize, cancel);
    std::vector<StreamPtr> requests;
    std::vector<StreamPtr> arrived;
    bool wake_writer = false;
    {
      std::lock_guard lock(mutex_);
      if (!got || *got == 0) {
        ended_by_peer_ = !failure_ && got.has_value();
        FailLocked(got ? Error(ErrorCode::kUnavailable,
                               Cat("the peer closed the connection", goodbye_.empty() ? "" : ": ",
                                   Printable(goodbye_)))
                       : std::move(got).error());
        return {};
      }
      ssize_t used = nghttp2_session_mem_recv(
          session_, reinterpret_cast<const std::uint8_t*>(buffer.get()), *got);
      if (used < 0) FailLocked(ProtocolError(nghttp2_strerror(static_cast<int>(used))));
      if (failure_) return {};
      requests.swap(new_requests_);
      arrived.swap(arrived_);
      // The writer is also the one that notices the end of a connection.
      wake_writer = nghttp2_session_want_write(session_) != 0 || !pings_.empty() ||
                    nghttp2_session_want_read(session_) == 0;
    }
    if (wake_writer) wake_writer_.notify_one();
    for (const StreamPtr& stream : arrived)
      stream->arrived.notify_all();
    for (StreamPtr& request : requests)
      on_request_(std::move(request));
  }
}

/// Appends frames until the batch has `up_to` bytes or nothing more may be sent now.
void H2Connection::TakeFrames(FrameBatch& batch, std::size_t up_to) {
  while (batch.size() < up_to) {
    std::size_t before = batch.size();
    const std::uint8_t* data = nullptr;
    ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size > 0) {
      batch.Copy({reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)});
    }
    if (size < 0) {
      FailLocked(
          Error(ErrorCode::kInternal, Cat("HTTP/2: ", nghttp2_strerror(static_cast<int>(size)))));
    }
    if (batch.size() == before) return;
  }
}

/// Answers go out a little late, and behind the data that is ready. A builder takes what arrives
/// between its PING and our answer for what the link holds, and lets us have twice that under way
/// for as long as each measurement beats the rates before it (grpc-go bdp_estimator.go). The first
/// few KiB answered at once show a rate that nothing beats later on: our window then stays at about
/// 1 MiB, and the builder waits for us as often as we wait for it.
void H2Connection::AnswerPings(FrameBatch& batch) {
  constexpr std::size_t kPingFrame = 17;
  if (pings_.empty() || Cancel::Clock::now() < answer_pings_at_) return;
  std::size_t size = pings_.size() * kPingFrame;
  for (const PingData& data : std::exchange(pings_, {})) {
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_ACK, data.data());
  }
  TakeFrames(batch, batch.size() + size);
}

/// False when there is nothing to write any more.
bool H2Connection::WaitForBatch(std::unique_lock<std::mutex>& lock,
                                FrameBatch& batch,
                                const Cancel& cancel) {
  while (batch.size() == 0 && !failure_ && !cancel.cancelled()) {
    bool answers_wait = !pings_.empty();
    Cancel until =
        answers_wait ? cancel.WithTimeout(answer_pings_at_ - Cancel::Clock::now(), "PING") : cancel;
    until.Wait(lock, wake_writer_, [&] {
      return failure_ || FillBatch(batch) || failure_ || pings_.empty() == answers_wait;
    });
  }
  return !failure_ && batch.size() > 0;
}

bool H2Connection::FillBatch(FrameBatch& batch) {
  batch_ = &batch;
  TakeFrames(batch, batch_size_.limit());
  AnswerPings(batch);
  batch_ = nullptr;
  // nghttp2 is done when a GOAWAY of ours or of the peer has run its course.
  if (!leaving_ && nghttp2_session_want_read(session_) == 0) {
    leaving_ = goodbye_.empty()
                   ? ProtocolError("it sent what is not a frame")
                   : Error(ErrorCode::kUnavailable,
                           Cat("the peer ended the connection: ", Printable(goodbye_)));
  }
  if (leaving_ && batch.size() == 0) FailLocked(*leaving_);
  return batch.size() > 0;
}

Result<> H2Connection::WriteLoop(const Cancel& cancel) {
  FrameBatch batch;
  while (true) {
    std::vector<StreamPtr> drained;
    {
      std::unique_lock lock(mutex_);
      if (!WaitForBatch(lock, batch, cancel)) return {};
      drained.swap(drained_);
    }
    for (const StreamPtr& stream : drained)
      stream->drained.notify_all();
    std::size_t size = batch.size();
    Cancel::Clock::time_point begin = Cancel::Clock::now();
    Result<> written = stream_->Write(batch.Take(), cancel);
    if (!written) {
      // The reader may have, or soon get, a better reason (a TLS alert): it is given the last word.
      cancel.SleepFor(std::chrono::milliseconds(50));
      Close(std::move(written).error());
      return {};
    }
    std::lock_guard lock(mutex_);
    batch_size_.Taken(size, Cancel::Clock::now() - begin);
  }
}

}  // namespace depot::rpc
