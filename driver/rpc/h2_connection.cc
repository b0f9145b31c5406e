#include "driver/rpc/h2_connection.h"

#include <vector>

#include "driver/rpc/frame_batch.h"

namespace depot::rpc {
namespace {

constexpr std::size_t kReadSize = 256 << 10;

/// All streams of the session are made by MakeCall().
H2Session::StreamPtr MakeCall() {
  return std::make_shared<H2Call>();
}

H2Connection::StreamPtr AsCall(const H2Session::StreamPtr& stream) {
  return std::static_pointer_cast<H2Call>(stream);
}

}  // namespace

H2Connection::H2Connection(Role role,
                           std::unique_ptr<ByteStream> stream,
                           H2Limits limits,
                           std::function<void(StreamPtr)> on_request)
    : on_request_(std::move(on_request)),
      stream_(std::move(stream)),
      session_(role, limits, MakeCall),
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
}

H2Connection::StreamPtr H2Connection::Open(const Headers& headers) {
  std::lock_guard lock(mutex_);
  StreamPtr stream = AsCall(session_.Open(headers));
  wake_writer_.notify_one();
  return stream;
}

void H2Connection::Respond(const StreamPtr& stream, const Headers& headers) {
  std::lock_guard lock(mutex_);
  session_.Respond(*stream, headers);
  wake_writer_.notify_one();
}

Result<> H2Connection::Send(const StreamPtr& stream, BytesList pieces, const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  cancel.Wait(lock, stream->drained, [&] {
    if (stream->closed || stream->outgoing_bytes < MaxOutgoing()) return true;
    stream->wants_room = true;
    return false;
  });
  if (!H2Session::CanSend(*stream)) {
    const std::optional<Error>& failure = session_.failure();
    return Fail(failure ? *failure : Error(ErrorCode::kUnavailable, "the call has ended"));
  }
  TRY(cancel.Check());
  session_.Send(*stream, std::move(pieces));
  lock.unlock();
  wake_writer_.notify_one();
  return {};
}

void H2Connection::EndSend(const StreamPtr& stream, std::optional<Headers> trailers) {
  std::lock_guard lock(mutex_);
  session_.EndSend(*stream, std::move(trailers));
  wake_writer_.notify_one();
}

Result<std::optional<std::string>> H2Connection::Receive(const StreamPtr& stream,
                                                         const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  bool ready = cancel.Wait(lock, stream->arrived, [&] {
    return !stream->messages.empty() || stream->fault || stream->remote_closed || stream->closed;
  });
  if (!ready) return Fail(cancel.error());
  bool held_back = stream->unconsumed_bytes > 0;
  Result<std::optional<std::string>> message = session_.TakeMessage(*stream);
  if (held_back && stream->unconsumed_bytes == 0) wake_writer_.notify_one();
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
  session_.Reset(*stream, code);
  Wake(session_.TakeEvents());
  wake_writer_.notify_one();
}

Result<> H2Connection::Alive() const {
  std::lock_guard lock(mutex_);
  if (session_.failure()) return Fail(*session_.failure());
  if (session_.leaving()) return Fail(*session_.leaving());
  return {};
}

bool H2Connection::Dismissed() const {
  std::lock_guard lock(mutex_);
  return session_.dismissed();
}

Result<> H2Connection::WaitClosed(const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  if (!cancel.Wait(lock, closed_, [&] { return session_.failure().has_value(); })) {
    return Fail(cancel.error());
  }
  if (ended_by_peer_) return {};
  return Fail(*session_.failure());
}

void H2Connection::Close(const Error& reason) {
  {
    std::lock_guard lock(mutex_);
    session_.End(reason);
    Wake(session_.TakeEvents());
  }
  stream_->Close();
}

/// Best with the mutex free: who wakes up while it is held goes to sleep again at once.
void H2Connection::Wake(const H2Events& events) {
  for (const auto& stream : events.arrived)
    AsCall(stream)->arrived.notify_all();
  for (const auto& stream : events.drained)
    AsCall(stream)->drained.notify_all();
  for (const auto& stream : events.ended) {
    AsCall(stream)->arrived.notify_all();
    AsCall(stream)->drained.notify_all();
  }
  if (events.failed) {
    wake_writer_.notify_all();
    closed_.notify_all();
  }
}

Result<> H2Connection::ReadLoop(const Cancel& cancel) {
  auto buffer = std::make_unique<char[]>(kReadSize);
  while (true) {
    Result<std::size_t> got = stream_->Read(buffer.get(), kReadSize, cancel);
    H2Events events;
    bool failed = false;
    bool wake_writer = false;
    {
      std::lock_guard lock(mutex_);
      if (got && *got > 0) {
        session_.Receive({buffer.get(), *got}, Cancel::Clock::now());
      } else if (got) {
        ended_by_peer_ = !session_.failure();
        session_.EndInput();
      } else {
        session_.End(got.error());
      }
      events = session_.TakeEvents();
      failed = session_.failure().has_value();
      // The writer is also the one that notices the end of a connection.
      wake_writer = !failed && session_.WantsWrite();
    }
    if (wake_writer) wake_writer_.notify_one();
    Wake(events);
    if (failed) return {};
    for (const auto& request : events.requests)
      on_request_(AsCall(request));
  }
}

/// False when there is nothing to write any more.
bool H2Connection::WaitForBatch(std::unique_lock<std::mutex>& lock,
                                FrameBatch& batch,
                                const Cancel& cancel) {
  while (batch.size() == 0 && !session_.failure() && !cancel.cancelled()) {
    std::optional<H2Session::Time> due = session_.pings_due();
    Cancel until = due ? cancel.WithTimeout(*due - Cancel::Clock::now(), "PING") : cancel;
    until.Wait(lock, wake_writer_, [&] {
      if (session_.FillBatch(batch, batch_size_.limit(), Cancel::Clock::now())) return true;
      // What ended without a frame must not wait for the next one.
      Wake(session_.TakeEvents());
      return session_.failure() || session_.pings_due().has_value() != due.has_value();
    });
  }
  return !session_.failure() && batch.size() > 0;
}

Result<> H2Connection::WriteLoop(const Cancel& cancel) {
  FrameBatch batch;
  while (true) {
    H2Events events;
    bool more = false;
    {
      std::unique_lock lock(mutex_);
      more = WaitForBatch(lock, batch, cancel);
      events = session_.TakeEvents();
    }
    Wake(events);
    if (!more) {
      // Who has said GOAWAY waits for the end of the connection, and asks (PING) what nobody
      // answers any more.
      stream_->Close();
      return {};
    }
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
