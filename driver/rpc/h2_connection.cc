#include "driver/rpc/h2_connection.h"

#include <algorithm>
#include <cstring>

#include <nghttp2/nghttp2.h>

#include "driver/base/text.h"
#include "driver/rpc/frame_batch.h"

namespace depot::rpc {
namespace {

constexpr std::size_t kReadSize = 256 << 10;
/// Bytes handed to the stream below in one Write(); the unit in which a session's data travels
/// through the tunnel. Larger batches were slower on the builder's side, smaller ones on ours.
constexpr std::size_t kBatchSize = 256 << 10;
/// Bytes queued on one stream before Send() waits.
constexpr std::size_t kMaxOutgoing = 1 << 20;
/// Bytes of unread messages on one stream before its flow-control window closes.
constexpr std::size_t kMaxQueued = 2 << 20;
/// What a message costs beyond its bytes, so that empty ones are bounded too.
constexpr std::size_t kMessageOverhead = 64;
constexpr std::int32_t kStreamWindow = 2 << 20;
constexpr std::int32_t kConnectionWindow = 64 << 20;
constexpr std::size_t kMaxHeaderBytes = 1 << 20;
constexpr std::size_t kFramePrefix = 5;
constexpr std::uint32_t kMaxConcurrentCalls = 100;

nghttp2_nv MakeNv(const std::pair<std::string, std::string>& header) {
  auto bytes = [](const std::string& text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(header.first), bytes(header.second), header.first.size(), header.second.size(),
          NGHTTP2_NV_FLAG_NONE};
}

std::vector<nghttp2_nv> MakeNvs(const Headers& headers) {
  std::vector<nghttp2_nv> nvs;
  for (const auto& header : headers)
    nvs.push_back(MakeNv(header));
  return nvs;
}

Error ProtocolError(std::string_view reason) {
  return Error(ErrorCode::kInvalid, Cat("the peer does not speak HTTP/2: ", reason))
      .WithHint("check the port, and whether it wants TLS");
}

}  // namespace

/// Called by nghttp2 inside mem_recv and mem_send, so always under the connection's mutex.
struct H2Connection::Callbacks {
  static H2Connection& Self(void* user_data) { return *static_cast<H2Connection*>(user_data); }

  static StreamPtr Find(H2Connection& self, std::int32_t id) {
    auto found = self.streams_.find(id);
    return found == self.streams_.end() ? nullptr : found->second;
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    H2Connection& self = Self(user_data);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    auto stream = std::make_shared<H2Stream>();
    stream->id = frame->hd.stream_id;
    self.streams_[stream->id] = stream;
    return 0;
  }

  static int OnHeader(nghttp2_session*,
                      const nghttp2_frame* frame,
                      const std::uint8_t* name,
                      std::size_t name_size,
                      const std::uint8_t* value,
                      std::size_t value_size,
                      std::uint8_t,
                      void* user_data) {
    StreamPtr stream = Find(Self(user_data), frame->hd.stream_id);
    if (!stream) return 0;
    stream->header_bytes += name_size + value_size + 32;
    if (stream->header_bytes > kMaxHeaderBytes) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    Headers& block = stream->headers_done ? stream->trailers : stream->headers;
    block.emplace_back(std::string(reinterpret_cast<const char*>(name), name_size),
                       std::string(reinterpret_cast<const char*>(value), value_size));
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    H2Connection& self = Self(user_data);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      self.goodbye_.assign(reinterpret_cast<const char*>(frame->goaway.opaque_data),
                           frame->goaway.opaque_data_len);
      if (self.goodbye_.empty()) self.goodbye_ = nghttp2_http2_strerror(frame->goaway.error_code);
    }
    StreamPtr stream = Find(self, frame->hd.stream_id);
    if (!stream) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && !stream->headers_done) {
      // 1xx answers come before the real one and mean nothing here.
      bool informational = false;
      for (const auto& [name, value] : stream->headers) {
        informational = informational || (name == ":status" && value.starts_with('1'));
      }
      if (informational) {
        stream->headers.clear();
      } else {
        stream->headers_done = true;
        if (self.role_ == Role::kServer) self.new_requests_.push_back(stream);
      }
    }
    bool carries_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      stream->remote_closed = true;
      stream->changed.notify_all();
    }
    return 0;
  }

  static int OnData(nghttp2_session* session,
                    std::uint8_t,
                    std::int32_t id,
                    const std::uint8_t* data,
                    std::size_t size,
                    void* user_data) {
    H2Connection& self = Self(user_data);
    // The connection's window is not what bounds memory: one stream that is not read must not stop
    // the others.
    nghttp2_session_consume_connection(session, size);
    StreamPtr stream = Find(self, id);
    if (!stream) return 0;
    self.AcceptData(*stream, {reinterpret_cast<const char*>(data), size});
    if (stream->malformed) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR);
    } else if (stream->queued_bytes > kMaxQueued) {
      stream->unconsumed_bytes += size;
    } else {
      nghttp2_session_consume_stream(session, id, size);
    }
    return 0;
  }

  static int OnClose(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user_data) {
    H2Connection& self = Self(user_data);
    StreamPtr stream = Find(self, id);
    if (!stream) return 0;
    if (!stream->closed) self.CloseLocked(*stream, code);
    self.streams_.erase(id);
    return 0;
  }

  /// A request that was reset before its HEADERS went out never opens, and so never closes.
  static int OnNotSent(nghttp2_session*, const nghttp2_frame* frame, int, void* user_data) {
    if (frame->hd.type == NGHTTP2_HEADERS) Self(user_data).streams_.erase(frame->hd.stream_id);
    return 0;
  }

  static ssize_t OnSource(nghttp2_session* session,
                          std::int32_t id,
                          std::uint8_t*,
                          std::size_t room,
                          std::uint32_t* flags,
                          nghttp2_data_source*,
                          void* user_data) {
    StreamPtr stream = Find(Self(user_data), id);
    if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (stream->outgoing_bytes == 0 && !stream->end_requested) return NGHTTP2_ERR_DEFERRED;
    std::size_t size = std::min(room, stream->outgoing_bytes);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size == stream->outgoing_bytes && stream->end_requested) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (stream->outgoing_trailers) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        std::vector<nghttp2_nv> nvs = MakeNvs(*stream->outgoing_trailers);
        nghttp2_submit_trailer(session, id, nvs.data(), nvs.size());
      }
    }
    return static_cast<ssize_t>(size);
  }

  static int OnSendData(nghttp2_session*,
                        nghttp2_frame* frame,
                        const std::uint8_t* frame_header,
                        std::size_t size,
                        nghttp2_data_source*,
                        void* user_data) {
    H2Connection& self = Self(user_data);
    StreamPtr stream = Find(self, frame->hd.stream_id);
    if (!stream || stream->outgoing_bytes < size) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    self.batch_->Copy({reinterpret_cast<const char*>(frame_header), 9});
    bool was_full = stream->outgoing_bytes >= kMaxOutgoing;
    stream->outgoing_bytes -= size;
    while (size > 0) {
      Bytes& front = stream->outgoing.front();
      std::size_t part = std::min(size, front.size());
      self.batch_->Add(front.TakeFront(part));
      if (front.empty()) stream->outgoing.pop_front();
      size -= part;
    }
    if (was_full && stream->outgoing_bytes < kMaxOutgoing) stream->changed.notify_all();
    return self.batch_->size() >= kBatchSize ? NGHTTP2_ERR_PAUSE : 0;
  }

  static nghttp2_session* MakeSession(H2Connection* self) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, OnNotSent);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, OnSendData);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    // A builder repeats every .dockerignore pattern as a header: up to 1 MiB of them, in frames of
    // 16 KiB.
    nghttp2_option_set_max_continuations(option, kMaxHeaderBytes / (16 << 10) + 8);
    nghttp2_option_set_max_send_header_block_length(option, kMaxHeaderBytes);
    nghttp2_session* session = nullptr;
    if (self->role_ == Role::kClient) {
      nghttp2_session_client_new2(&session, callbacks, self, option);
    } else {
      nghttp2_session_server_new2(&session, callbacks, self, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeaderBytes},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kMaxConcurrentCalls}};
    // A server must not send ENABLE_PUSH, a client has no use for a limit on streams to it.
    if (self->role_ == Role::kClient) {
      nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, 3);
    } else {
      settings[2] = settings[3];
      nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, 3);
    }
    nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
    return session;
  }
};

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
  nghttp2_data_provider provider{};
  provider.read_callback = Callbacks::OnSource;
  std::vector<nghttp2_nv> nvs = MakeNvs(headers);
  std::int32_t id =
      nghttp2_submit_request(session_, nullptr, nvs.data(), nvs.size(), &provider, nullptr);
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
  nghttp2_data_provider provider{};
  provider.read_callback = Callbacks::OnSource;
  std::vector<nghttp2_nv> nvs = MakeNvs(headers);
  nghttp2_submit_response(session_, stream->id, nvs.data(), nvs.size(), &provider);
  wake_writer_.notify_one();
}

Result<> H2Connection::Send(const StreamPtr& stream, BytesList pieces, const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  cancel.Wait(lock, stream->changed,
              [&] { return stream->closed || stream->outgoing_bytes < kMaxOutgoing; });
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
  bool ready = cancel.Wait(lock, stream->changed, [&] {
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
      cancel.Wait(lock, stream->changed, [&] { return stream->remote_closed || stream->closed; });
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
  stream.changed.notify_all();
}

Result<> H2Connection::Alive() const {
  std::lock_guard lock(mutex_);
  if (failure_) return Fail(*failure_);
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

void H2Connection::AcceptData(H2Stream& stream, std::string_view data) {
  auto take = [&data](std::string& into, std::size_t wanted) {
    std::size_t part = std::min(data.size(), wanted - into.size());
    into.append(data.substr(0, part));
    data.remove_prefix(part);
  };
  while (!data.empty()) {
    if (stream.prefix.size() < kFramePrefix) take(stream.prefix, kFramePrefix);
    if (stream.prefix.size() < kFramePrefix) return;
    auto byte = [&](std::size_t i) {
      return std::size_t{static_cast<unsigned char>(stream.prefix[i])};
    };
    std::size_t length = byte(1) << 24 | byte(2) << 16 | byte(3) << 8 | byte(4);
    if (byte(0) != 0 || length > max_message_) {
      stream.malformed = true;
      return;
    }
    take(stream.body, length);
    if (stream.body.size() < length) return;
    stream.queued_bytes += length + kMessageOverhead;
    stream.messages.push_back(std::exchange(stream.body, {}));
    stream.prefix.clear();
    stream.changed.notify_all();
  }
}

Result<> H2Connection::ReadLoop(const Cancel& cancel) {
  auto buffer = std::make_unique<char[]>(kReadSize);
  while (true) {
    Result<std::size_t> got = stream_->Read(buffer.get(), kReadSize, cancel);
    std::vector<StreamPtr> requests;
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
      wake_writer_.notify_one();
    }
    for (StreamPtr& request : requests)
      on_request_(std::move(request));
  }
}

bool H2Connection::FillBatch(FrameBatch& batch) {
  batch_ = &batch;
  while (batch.size() < kBatchSize) {
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
    if (batch.size() == before) break;
  }
  batch_ = nullptr;
  // nghttp2 is done when a GOAWAY of ours or of the peer has run its course.
  bool over = batch.size() == 0 && nghttp2_session_want_read(session_) == 0;
  if (over && goodbye_.empty()) FailLocked(ProtocolError("it sent what is not a frame"));
  if (over)
    FailLocked(Error(ErrorCode::kUnavailable,
                     Cat("the peer ended the connection: ", Printable(goodbye_))));
  return batch.size() > 0;
}

Result<> H2Connection::WriteLoop(const Cancel& cancel) {
  FrameBatch batch;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      bool go_on = cancel.Wait(lock, wake_writer_, [&] {
        return failure_.has_value() || FillBatch(batch) || failure_.has_value();
      });
      if (!go_on || failure_) return {};
    }
    Result<> written = stream_->Write(batch.Take(), cancel);
    if (!written) {
      // The reader may have, or soon get, a better reason (a TLS alert): it is given the last word.
      cancel.SleepFor(std::chrono::milliseconds(50));
      Close(std::move(written).error());
      return {};
    }
  }
}

}  // namespace depot::rpc
