#include "driver/rpc/h2_callbacks.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "driver/rpc/frame_batch.h"

namespace depot::rpc {
namespace {

/// DATA frames grow up to this where the peer allows it, as Go's net/http2 server does (1 MiB),
/// which is what a Docker Engine answers with; nghttp2 by itself stays at 16 KiB. Each frame costs
/// the Engine a hand-over between goroutines.
constexpr std::uint32_t kLargestFrame = 256 << 10;
constexpr std::int32_t kStreamWindow = 2 << 20;
constexpr std::int32_t kConnectionWindow = 64 << 20;
/// A builder repeats every .dockerignore pattern as a header, in frames of 16 KiB. What it may send
/// is bounded by the session's budget; what we send, and the number of its frames, by this.
constexpr std::size_t kMaxHeaderBlock = 64 << 20;
constexpr std::uint32_t kMaxConcurrentCalls = 100;
/// See H2Session::AnswerPings().
constexpr std::chrono::milliseconds kPingDelay(1);
/// PINGs without an answer; gRPC sends the next one when it has it.
constexpr std::size_t kMaxPings = 100;

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

}  // namespace

struct H2Session::Callbacks::Functions {
  static H2Session& Self(void* user_data) { return *static_cast<H2Session*>(user_data); }

  static StreamPtr Find(H2Session& self, std::int32_t id) {
    auto found = self.streams_.find(id);
    return found == self.streams_.end() ? nullptr : found->second;
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    H2Session& self = Self(user_data);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    StreamPtr stream = self.NewStream();
    stream->id = frame->hd.stream_id;
    self.streams_[stream->id] = stream;
    return 0;
  }

  static int OnHeader(H2Session& self,
                      std::int32_t id,
                      std::string_view name,
                      std::string_view value) {
    StreamPtr stream = Find(self, id);
    if (!stream) return 0;
    const std::string* whole = self.long_values_.Find(value);
    self.AcceptHeader(*stream, name, whole == nullptr ? value : *whole);
    return 0;
  }

  static int OnPing(H2Session& self, const std::uint8_t* data) {
    if (self.pings_.size() == kMaxPings) {
      self.End(Error(ErrorCode::kInvalid, "the peer floods the connection with PINGs"));
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (self.pings_.empty()) self.answer_pings_at_ = self.now_ + kPingDelay;
    PingData& ping = self.pings_.emplace_back();
    std::copy_n(data, ping.size(), ping.begin());
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    H2Session& self = Self(user_data);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      self.goodbye_.assign(reinterpret_cast<const char*>(frame->goaway.opaque_data),
                           frame->goaway.opaque_data_len);
      if (self.goodbye_.empty()) self.goodbye_ = nghttp2_http2_strerror(frame->goaway.error_code);
    }
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
      return OnPing(self, frame->ping.opaque_data);
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
        if (self.role_ == Role::kServer) self.events_.requests.push_back(stream);
      }
    }
    bool carries_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      stream->remote_closed = true;
      self.events_.arrived.push_back(stream);
    }
    return 0;
  }

  static int OnData(nghttp2_session* session,
                    std::uint8_t,
                    std::int32_t id,
                    const std::uint8_t* data,
                    std::size_t size,
                    void* user_data) {
    H2Session& self = Self(user_data);
    // The connection's window is not what bounds memory: one stream that is not read must not stop
    // the others.
    nghttp2_session_consume_connection(session, size);
    StreamPtr stream = Find(self, id);
    if (!stream) return 0;
    bool faulty = stream->fault.has_value();
    self.AcceptData(stream, {reinterpret_cast<const char*>(data), size});
    if (stream->fault) {
      // Its window is left to run out.
      if (!faulty) self.events_.arrived.push_back(stream);
    } else if (stream->queued_bytes > kMaxQueued) {
      stream->unconsumed_bytes += size;
    } else {
      nghttp2_session_consume_stream(session, id, size);
    }
    return 0;
  }

  static int OnClose(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user_data) {
    H2Session& self = Self(user_data);
    StreamPtr stream = Find(self, id);
    if (!stream) return 0;
    if (!stream->closed) self.CloseStream(stream, code);
    self.streams_.erase(id);
    return 0;
  }

  /// A request whose HEADERS cannot go out never opens, and so never closes: it was reset before,
  /// or the peer has said GOAWAY and only finishes what it has.
  static int OnNotSent(nghttp2_session* session, const nghttp2_frame* frame, int, void* user_data) {
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    return OnClose(session, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM, user_data);
  }

  static int OnSent(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (frame->hd.type == NGHTTP2_GOAWAY) Self(user_data).complaint_ = frame->goaway.error_code;
    return 0;
  }

  static ssize_t OnSource(H2Session& self,
                          std::int32_t id,
                          std::size_t room,
                          std::uint32_t* flags) {
    StreamPtr stream = Find(self, id);
    if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (stream->outgoing_bytes == 0 && !stream->end_requested) return NGHTTP2_ERR_DEFERRED;
    std::size_t size = std::min(room, stream->outgoing_bytes);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size == stream->outgoing_bytes && stream->end_requested) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (stream->outgoing_trailers) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        std::vector<nghttp2_nv> nvs = MakeNvs(*stream->outgoing_trailers);
        nghttp2_submit_trailer(self.session_, id, nvs.data(), nvs.size());
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
    H2Session& self = Self(user_data);
    StreamPtr stream = Find(self, frame->hd.stream_id);
    if (!stream || stream->outgoing_bytes < size) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    self.batch_->Copy({reinterpret_cast<const char*>(frame_header), 9});
    stream->outgoing_bytes -= size;
    while (size > 0) {
      Bytes& front = stream->outgoing.front();
      std::size_t part = std::min(size, front.size());
      self.batch_->Add(front.TakeFront(part));
      if (front.empty()) stream->outgoing.pop_front();
      size -= part;
    }
    // Not before half of the queue is free, so that the sender does not wake up for every frame.
    if (stream->wants_room && stream->outgoing_bytes <= self.batch_limit_) {
      stream->wants_room = false;
      self.events_.drained.push_back(stream);
    }
    return self.batch_->size() >= self.batch_limit_ ? NGHTTP2_ERR_PAUSE : 0;
  }

  static nghttp2_data_provider Source() {
    nghttp2_data_provider provider{};
    provider.read_callback = [](nghttp2_session*, std::int32_t id, std::uint8_t*, std::size_t room,
                                std::uint32_t* flags, nghttp2_data_source*, void* user_data) {
      return OnSource(Self(user_data), id, room, flags);
    };
    return provider;
  }

  static nghttp2_session* Make(H2Session* self) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                      std::uint8_t, void* user_data) {
          return OnHeader(Self(user_data), frame->hd.stream_id,
                          {reinterpret_cast<const char*>(name), name_size},
                          {reinterpret_cast<const char*>(value), value_size});
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, OnNotSent);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, OnSent);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, OnSendData);
    nghttp2_session_callbacks_set_data_source_read_length_callback(
        callbacks,
        [](nghttp2_session*, std::uint8_t, std::int32_t, std::int32_t connection_window,
           std::int32_t stream_window, std::uint32_t frame_size, void*) -> ssize_t {
          auto limit = static_cast<std::int32_t>(std::min(frame_size, kLargestFrame));
          return std::max(1, std::min({connection_window, stream_window, limit}));
        });
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_auto_ping_ack(option, 1);
    nghttp2_option_set_max_continuations(option, kMaxHeaderBlock / (16 << 10) + 8);
    nghttp2_option_set_max_send_header_block_length(option, kMaxHeaderBlock);
    // A builder's last word (grpc-message) or a name in a session's header may begin or end with a
    // blank, which RFC 9113 forbids and grpc-go sends.
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
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
        // No limit: what is too much is refused by us, in words that say so.
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, UINT32_MAX},
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

nghttp2_session* H2Session::Callbacks::MakeSession(H2Session* self) {
  return Functions::Make(self);
}

std::int32_t H2Session::Callbacks::SubmitRequest(nghttp2_session* session, const Headers& headers) {
  nghttp2_data_provider provider = Functions::Source();
  std::vector<nghttp2_nv> nvs = MakeNvs(headers);
  return nghttp2_submit_request(session, nullptr, nvs.data(), nvs.size(), &provider, nullptr);
}

void H2Session::Callbacks::SubmitResponse(nghttp2_session* session,
                                          std::int32_t stream,
                                          const Headers& headers) {
  nghttp2_data_provider provider = Functions::Source();
  std::vector<nghttp2_nv> nvs = MakeNvs(headers);
  nghttp2_submit_response(session, stream, nvs.data(), nvs.size(), &provider);
}

}  // namespace depot::rpc
