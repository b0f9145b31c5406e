#include "driver/session/session.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <utility>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/rpc/gzip.h"
#include "driver/session/pack_choice.h"

// The tunnel: Control.Session carries BytesMessage{data=1} both ways, and their joined data is an
// HTTP/2 connection whose client is the builder (BuildKit session/grpchijack). Message borders
// carry no meaning. A connection of the session's own carries that HTTP/2 alone.

namespace depot::session {
namespace {

using Clock = Cancel::Clock;

constexpr char kDataTag = 0x0A;  // field 1, length-delimited

std::string DataPrefix(std::size_t size) {
  std::string prefix(1, kDataTag);
  for (; size >= 0x80; size >>= 7)
    prefix.push_back(static_cast<char>(size | 0x80));
  prefix.push_back(static_cast<char>(size));
  return prefix;
}

/// The `data` of an encoded BytesMessage, whose only field it is.
Result<std::string_view> DataOf(std::string_view message) {
  if (message.empty()) return message;
  std::size_t size = 0;
  std::size_t at = 1;
  for (int shift = 0; at < message.size() && shift < 35; shift += 7) {
    auto byte = static_cast<unsigned char>(message[at++]);
    size |= std::size_t{byte & 0x7FU} << shift;
    if (byte < 0x80) break;
  }
  if (message[0] != kDataTag || message.size() - at != size) {
    return Fail(ErrorCode::kInvalid, "the builder sent a malformed session message");
  }
  return message.substr(at);
}

/// Smaller messages, of which there are few, say nothing of the link.
constexpr std::size_t kWorthPacking = 4 << 10;

using Heard = std::atomic<Clock::rep>;

void Hear(Heard& last_heard) {
  last_heard = Clock::now().time_since_epoch().count();
}

/// A connection of the session's own.
class OwnStream final : public rpc::ByteStream {
 public:
  OwnStream(std::unique_ptr<rpc::ByteStream> stream, Heard& last_heard)
      : stream_(std::move(stream)), last_heard_(last_heard) {}

  Result<std::size_t> Read(char* into, std::size_t capacity, const Cancel& cancel) override {
    auto got = stream_->Read(into, capacity, cancel);
    if (got) Hear(last_heard_);
    return got;
  }

  Result<> Write(const rpc::BytesList& pieces, const Cancel& cancel) override {
    return stream_->Write(pieces, cancel);
  }

  void Close() override { stream_->Close(); }

 private:
  const std::unique_ptr<rpc::ByteStream> stream_;
  Heard& last_heard_;
};

class TunnelStream final : public rpc::ByteStream {
 public:
  TunnelStream(rpc::ClientCall& call, bool may_pack, Heard& last_heard)
      : call_(call), may_pack_(may_pack), last_heard_(last_heard) {}

  Result<std::size_t> Read(char* into, std::size_t capacity, const Cancel& cancel) override {
    while (rest_.empty()) {
      TRY_ASSIGN(std::optional<std::string> message, call_.Read(cancel));
      if (!message) return std::size_t{0};
      Hear(last_heard_);
      message_ = std::move(*message);
      TRY_ASSIGN(rest_, DataOf(message_));
    }
    std::size_t size = std::min(capacity, rest_.size());
    std::memcpy(into, rest_.data(), size);
    rest_.remove_prefix(size);
    return size;
  }

  Result<> Write(const rpc::BytesList& pieces, const Cancel& cancel) override {
    rpc::BytesList message;
    message.reserve(pieces.size() + 2);
    message.emplace_back(DataPrefix(rpc::TotalSize(pieces)));
    message.insert(message.end(), pieces.begin(), pieces.end());
    const std::size_t size = rpc::TotalSize(message);
    if (!may_pack_ || size < kWorthPacking) return call_.Write(std::move(message), cancel);
    const Clock::time_point begin = Clock::now();
    std::optional<std::string> packed;
    if (choice_.packs()) packed = Pack(message);
    const std::size_t left = packed ? packed->size() : size;
    Result<> written = packed ? call_.WritePacked(*std::move(packed), cancel)
                              : call_.Write(std::move(message), cancel);
    choice_.Sent(size, left, begin, Clock::now());
    return written;
  }

  void Close() override { call_.Abort(); }

 private:
  /// nullopt: that is not worth the builder's work.
  std::optional<std::string> Pack(const rpc::BytesList& message) {
    if (!packer_) packer_.emplace();
    std::string packed = packer_->Pack(message);
    if (packed.size() > rpc::TotalSize(message) / 8 * 7) return std::nullopt;
    return packed;
  }

  rpc::ClientCall& call_;
  const bool may_pack_;
  PackChoice choice_;
  std::optional<rpc::GzipPacker> packer_;  ///< most sessions need none
  Heard& last_heard_;
  std::string message_;
  std::string_view rest_;  // of message_
};

class OneSession final : public Session {
 public:
  OneSession(rpc::Channel& channel,
             const SessionIdentity& identity,
             const rpc::ServiceTable& table,
             rpc::AnnouncedDial own)
      : channel_(channel),
        table_(table),
        silence_(identity.silence),
        own_(std::move(own)),
        may_pack_(identity.may_pack) {
    metadata_.Add("x-docker-expose-session-uuid", identity.id);
    metadata_.Add("x-docker-expose-session-sharedkey", identity.shared_key);
    for (const std::string& method : table.methods()) {
      metadata_.Add("x-docker-expose-session-grpc-method", method);
    }
    if (!own_) Begin();
  }

  Result<> Serve(const Cancel& cancel) override {
    if (own_) {
      // Who lets /grpc through and not this (a proxy before an Engine's socket) has the other way.
      if (auto stream = DialOwn(cancel)) return ServeOwn(*std::move(stream), cancel);
      Begin();
    }
    Result<> served = ServeCall(cancel);
    if (served || !may_pack_ || cancel.cancelled()) return served;
    const rpc::Status status = End(cancel);
    if (!status.told || status.code != rpc::Code::kUnimplemented) return served;
    // It knows no gzip, and said so before it asked for anything.
    may_pack_ = false;
    Begin();
    return ServeCall(cancel);
  }

 private:
  static constexpr const char* kMethod = "/moby.buildkit.v1.Control/Session";

  /// A connection on which the builder has begun to speak, as it does at once. It waits 5 s for a
  /// session (BuildKit session/manager.go): one that something holds back is left in time.
  Result<std::unique_ptr<rpc::ByteStream>> DialOwn(const Cancel& cancel) {
    const Cancel soon = cancel.WithTimeout(std::chrono::seconds(2), "the session's connection");
    TRY_ASSIGN(std::unique_ptr<rpc::ByteStream> stream, own_(metadata_, soon));
    char first[64];
    TRY_ASSIGN(const std::size_t got, stream->Read(first, sizeof first, soon));
    if (got == 0) return Fail(ErrorCode::kUnavailable, "the session's connection was closed");
    return rpc::MakePrefixedStream(std::string(first, got), std::move(stream));
  }

  void Begin() {
    call_ =
        may_pack_ ? channel_.StartPackable(kMethod, metadata_) : channel_.Start(kMethod, metadata_);
  }

  Result<> ServeCall(const Cancel& cancel) {
    TRY(ServeStream(std::make_unique<TunnelStream>(*call_, may_pack_, last_heard_), cancel));
    if (cancel.cancelled()) return {};
    const rpc::Status status = End(cancel);
    // Nobody here has cancelled anything: with that word the builder, or a proxy, says good-bye.
    if (!status.ok() && status.code != rpc::Code::kCancelled) {
      return Fail(rpc::ToError(status).While("session with the builder"));
    }
    return Ended();
  }

  Result<> ServeOwn(std::unique_ptr<rpc::ByteStream> stream, const Cancel& cancel) {
    TRY(ServeStream(std::make_unique<OwnStream>(std::move(stream), last_heard_), cancel));
    if (cancel.cancelled()) return {};
    return Ended();
  }

  static Result<> Ended() { return Fail(ErrorCode::kUnavailable, "the builder ended the session"); }

  /// Success: `cancel` has stopped, or the peer has ended the stream.
  Result<> ServeStream(std::unique_ptr<rpc::ByteStream> stream, const Cancel& cancel) {
    Hear(last_heard_);
    TaskGroup tasks(cancel);
    CancelSource watching(tasks.cancel());
    tasks.Start("session-watch",
                [this, &watching](const Cancel&) { return Watch(watching.cancel()); });
    Result<> served = rpc::Serve(std::move(stream), table_, tasks.cancel());
    watching.Request(Error(ErrorCode::kCancelled, "the session has ended"));
    Result<> watched = tasks.Wait();
    if (cancel.cancelled()) return {};
    if (!watched) return watched;
    if (!served) return Fail(std::move(served).error().While("session with the builder"));
    return {};
  }

  /// How the builder ended the call.
  rpc::Status End(const Cancel& cancel) {
    return call_->Finish(cancel.WithTimeout(std::chrono::seconds(1), "end of session"));
  }

  /// Fails when nothing was heard for too long.
  Result<> Watch(const Cancel& cancel) {
    Clock::time_point woken = Clock::now();
    while (cancel.SleepFor(std::chrono::seconds(1))) {
      // A process that was stopped and continued has heard nothing, but nobody was silent.
      if (Clock::now() - std::exchange(woken, Clock::now()) > std::chrono::seconds(5)) {
        Hear(last_heard_);
      }
      Clock::duration silence = Clock::now().time_since_epoch() - Clock::duration(last_heard_);
      if (silence < silence_) continue;
      return Fail(Error(ErrorCode::kUnavailable,
                        Cat("no sign of life from the builder for ", silence_.count(), " s"))
                      .WithHint("the network or the builder went silent; try again"));
    }
    return {};
  }

  rpc::Channel& channel_;
  const rpc::ServiceTable& table_;
  const std::chrono::seconds silence_;
  const rpc::AnnouncedDial own_;
  rpc::Metadata metadata_;
  bool may_pack_;
  std::unique_ptr<rpc::ClientCall> call_;  ///< none while the session is on a connection of its own
  Heard last_heard_{0};
};

}  // namespace

std::unique_ptr<Session> OpenSession(rpc::Channel& channel,
                                     const SessionIdentity& identity,
                                     const rpc::ServiceTable& table,
                                     rpc::AnnouncedDial own) {
  return std::make_unique<OneSession>(channel, identity, table, std::move(own));
}

}  // namespace depot::session
