#include "driver/rpc/h2_session.h"

#include <algorithm>

#include <nghttp2/nghttp2.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/rpc/frame_batch.h"
#include "driver/rpc/gzip.h"
#include "driver/rpc/h2_callbacks.h"
#include "driver/rpc/wire.h"

namespace depot::rpc {
namespace {

/// What a message costs beyond its bytes, so that empty ones are bounded too.
constexpr std::size_t kMessageOverhead = 64;
/// The same for a header: two strings.
constexpr std::size_t kHeaderOverhead = 64;
constexpr std::size_t kFramePrefix = 5;
/// Frames that wait to be sent: answers to a peer that asks and does not read.
constexpr std::size_t kMaxWaitingFrames = 10'000;

Error ProtocolError(std::string_view reason) {
  return Error(ErrorCode::kInvalid, Cat("the peer does not speak HTTP/2: ", reason))
      .WithHint("check the port, and whether it wants TLS");
}

Status OverBudget(std::string_view what, const Budget& budget) {
  return {Code::kResourceExhausted,
          Cat(what, " would exceed the ", budget.limit() >> 20,
              " MiB that a peer may have unfinished on one connection"),
          ""};
}

/// What the peer has done when we end the connection by GOAWAY with this code.
Error Complaint(std::uint32_t code, bool exceeded, const Budget& budget) {
  if (code != NGHTTP2_COMPRESSION_ERROR) return ProtocolError("it sent what is not a frame");
  return {ErrorCode::kInvalid,
          exceeded ? OverBudget("the metadata of a call", budget).message
                   : "the peer sent a header name of more than 64 KiB, or what is not valid HPACK"};
}

}  // namespace

H2Session::H2Session(Role role, H2Limits limits, std::function<StreamPtr()> make_stream)
    : role_(role),
      max_message_(limits.message),
      budget_(std::make_shared<Budget>(limits.unfinished)),
      make_stream_(std::move(make_stream)),
      long_values_(role == Role::kServer ? NGHTTP2_CLIENT_MAGIC_LEN : 0, budget_),
      session_(Callbacks::MakeSession(this)) {}

H2Session::~H2Session() {
  nghttp2_session_del(session_);
}

void H2Session::Receive(std::string_view bytes, Time now) {
  if (failure_) return;
  now_ = now;
  long_values_.Filter(bytes, [this](std::string_view part) {
    if (failure_) return;
    ssize_t used = nghttp2_session_mem_recv(
        session_, reinterpret_cast<const std::uint8_t*>(part.data()), part.size());
    if (used < 0) End(ProtocolError(nghttp2_strerror(static_cast<int>(used))));
  });
  if (nghttp2_session_get_outbound_queue_size(session_) > kMaxWaitingFrames) {
    End(Error(ErrorCode::kInvalid, "the peer asks for more than it reads"));
  }
}

void H2Session::EndInput() {
  End(Error(ErrorCode::kUnavailable, Cat("the peer closed the connection",
                                         goodbye_.empty() ? "" : ": ", Printable(goodbye_))));
}

bool H2Session::WantsWrite() const {
  return nghttp2_session_want_write(session_) != 0 || !pings_.empty() ||
         nghttp2_session_want_read(session_) == 0;
}

std::optional<H2Session::Time> H2Session::pings_due() const {
  if (pings_.empty()) return std::nullopt;
  return answer_pings_at_;
}

H2Session::StreamPtr H2Session::NewStream() {
  StreamPtr stream = make_stream_();
  stream->share = BudgetShare(budget_);
  return stream;
}

H2Session::StreamPtr H2Session::Open(const Headers& headers) {
  StreamPtr stream = NewStream();
  std::int32_t id = failure_ ? -1 : Callbacks::SubmitRequest(session_, headers);
  if (id < 0) {
    stream->closed = true;
    return stream;
  }
  stream->id = id;
  stream->gzip = FindHeader(headers, "grpc-encoding") == "gzip";
  streams_[id] = stream;
  return stream;
}

void H2Session::Respond(const H2Stream& stream, const Headers& headers) {
  if (!stream.closed) Callbacks::SubmitResponse(session_, stream.id, headers);
}

void H2Session::Send(H2Stream& stream, BytesList pieces) {
  for (Bytes& piece : pieces) {
    if (piece.empty()) continue;
    stream.outgoing_bytes += piece.size();
    stream.outgoing.push_back(std::move(piece));
  }
  nghttp2_session_resume_data(session_, stream.id);
}

void H2Session::EndSend(H2Stream& stream, std::optional<Headers> trailers) {
  if (!CanSend(stream)) return;
  stream.end_requested = true;
  stream.outgoing_trailers = std::move(trailers);
  nghttp2_session_resume_data(session_, stream.id);
}

Result<std::optional<std::string>> H2Session::TakeMessage(H2Stream& stream) {
  if (stream.messages.empty()) {
    if (stream.fault) return Fail(ErrorCode::kInvalid, stream.fault->message);
    return std::nullopt;
  }
  std::string message = std::move(stream.messages.front());
  stream.messages.pop_front();
  stream.queued_bytes -= message.size() + kMessageOverhead;
  stream.share.Give(message.size() + kMessageOverhead);
  if (stream.unconsumed_bytes > 0 && stream.queued_bytes <= kMaxQueued / 2 && !stream.closed) {
    nghttp2_session_consume_stream(session_, stream.id, std::exchange(stream.unconsumed_bytes, 0));
  }
  return message;
}

void H2Session::Reset(H2Stream& stream, std::uint32_t code) {
  // Only once: a second RST_STREAM for a call whose HEADERS never went out would be a connection
  // error to the peer (RFC 9113, 5.1).
  if (stream.closed) return;
  if (auto found = streams_.find(stream.id); found != streams_.end()) {
    CloseStream(found->second, code);
  }
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, code);
}

void H2Session::CloseStream(const StreamPtr& stream, std::uint32_t code) {
  stream->closed = true;
  stream->reset_code = code;
  stream->outgoing.clear();
  stream->outgoing_bytes = 0;
  events_.ended.push_back(stream);
}

void H2Session::End(const Error& reason) {
  if (failure_) return;
  failure_ = reason;
  for (auto& [id, stream] : streams_) {
    if (!stream->closed) CloseStream(stream, NGHTTP2_NO_ERROR);
  }
  streams_.clear();
  events_.failed = true;
}

/// Nothing more is taken from the peer on this stream. A server still answers: with this status.
void H2Session::Refuse(H2Stream& stream, Status fault) {
  stream.share.Give(std::exchange(stream.body, {}).size());
  stream.fault = std::move(fault);
  if (role_ == Role::kClient) Reset(stream, NGHTTP2_CANCEL);
}

void H2Session::AcceptHeader(H2Stream& stream, std::string_view name, std::string_view value) {
  if (stream.fault) return;
  if (stream.share.Take(name.size() + value.size() + kHeaderOverhead)) {
    (stream.headers_done ? stream.trailers : stream.headers).emplace_back(name, value);
    return;
  }
  std::string_view path = FindHeader(stream.headers, ":path");
  Refuse(stream, OverBudget(Cat("the metadata of ", path.empty() ? "a call" : Printable(path),
                                ", at ", Printable(name), ','),
                            *budget_));
}

void H2Session::AcceptData(const StreamPtr& stream, std::string_view data) {
  auto take = [&data](std::string& into, std::size_t wanted) {
    std::size_t part = std::min(data.size(), wanted - into.size());
    into.append(data.substr(0, part));
    data.remove_prefix(part);
  };
  while (!data.empty() && !stream->fault) {
    if (stream->prefix.size() < kFramePrefix) take(stream->prefix, kFramePrefix);
    if (stream->prefix.size() < kFramePrefix) return;
    auto byte = [&](std::size_t i) {
      return std::size_t{static_cast<unsigned char>(stream->prefix[i])};
    };
    std::size_t length = byte(1) << 24 | byte(2) << 16 | byte(3) << 8 | byte(4);
    if (byte(0) > 1 || (byte(0) == 1 && !stream->gzip)) {
      Refuse(*stream, {role_ == Role::kServer ? Code::kUnimplemented : Code::kInternal,
                       "a compressed message came, and none was asked for", ""});
      return;
    }
    if (length > max_message_) {
      Refuse(*stream,
             {Code::kResourceExhausted,
              Cat("a message of ", length, " bytes came; the limit is ", max_message_), ""});
      return;
    }
    std::size_t missing = length - stream->body.size();
    std::size_t cost = missing > data.size() ? data.size() : missing + kMessageOverhead;
    if (!stream->share.Take(cost)) {
      Refuse(*stream, OverBudget(Cat("a message of ", length, " bytes"), *budget_));
      return;
    }
    take(stream->body, length);
    if (stream->body.size() < length) return;
    if (byte(0) == 1 && !Unpack(*stream)) return;
    stream->queued_bytes += stream->body.size() + kMessageOverhead;
    stream->messages.push_back(std::exchange(stream->body, {}));
    stream->prefix.clear();
    if (stream->messages.size() == 1) events_.arrived.push_back(stream);
  }
}

/// Puts the message in the place of what came, or refuses more than the limits allow it to grow to.
bool H2Session::Unpack(H2Stream& stream) {
  const std::size_t packed = stream.body.size();
  const std::size_t size = GzipSize(stream.body);
  if (size > max_message_) {
    Refuse(
        stream,
        {Code::kResourceExhausted,
         Cat("a message came that unpacks to ", size, " bytes; the limit is ", max_message_), ""});
    return false;
  }
  if (!stream.share.Take(size)) {
    Refuse(stream, OverBudget(Cat("a message that unpacks to ", size, " bytes"), *budget_));
    return false;
  }
  std::optional<std::string> message = UnpackGzip(stream.body);
  if (!message) {
    stream.share.Give(size);
    Refuse(stream, {Code::kInternal, "a damaged compressed message came", ""});
    return false;
  }
  stream.share.Give(packed);
  stream.body = *std::move(message);
  return true;
}

/// Appends frames until the batch has `up_to` bytes or nothing more may be sent now.
void H2Session::TakeFrames(FrameBatch& batch, std::size_t up_to) {
  while (batch.size() < up_to) {
    std::size_t before = batch.size();
    const std::uint8_t* data = nullptr;
    ssize_t size = nghttp2_session_mem_send(session_, &data);
    if (size > 0) {
      batch.Copy({reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)});
    }
    if (size < 0) {
      End(Error(ErrorCode::kInternal, Cat("HTTP/2: ", nghttp2_strerror(static_cast<int>(size)))));
    }
    if (batch.size() == before) return;
  }
}

/// Answers go out a little late, and behind the data that is ready. A builder takes what arrives
/// between its PING and our answer for what the link holds, and lets us have twice that under way
/// for as long as each measurement beats the rates before it (grpc-go bdp_estimator.go). The first
/// few KiB answered at once show a rate that nothing beats later on: our window then stays at about
/// 1 MiB, and the builder waits for us as often as we wait for it.
void H2Session::AnswerPings(FrameBatch& batch, Time now) {
  constexpr std::size_t kPingFrame = 17;
  if (pings_.empty() || now < answer_pings_at_) return;
  std::size_t size = pings_.size() * kPingFrame;
  for (const PingData& data : std::exchange(pings_, {})) {
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_ACK, data.data());
  }
  TakeFrames(batch, batch.size() + size);
}

bool H2Session::FillBatch(FrameBatch& batch, std::size_t limit, Time now) {
  if (failure_) return false;
  batch_ = &batch;
  batch_limit_ = limit;
  TakeFrames(batch, limit);
  AnswerPings(batch, now);
  batch_ = nullptr;
  // nghttp2 is done when a GOAWAY of ours or of the peer has run its course.
  if (!leaving_ && nghttp2_session_want_read(session_) == 0) {
    leaving_ = goodbye_.empty()
                   ? Complaint(complaint_, long_values_.exceeded(), *budget_)
                   : Error(ErrorCode::kUnavailable,
                           Cat("the peer ended the connection: ", Printable(goodbye_)));
  }
  if (leaving_ && batch.size() == 0) End(*leaving_);
  return batch.size() > 0;
}

}  // namespace depot::rpc
