#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/result.h"
#include "driver/rpc/budget.h"
#include "driver/rpc/bytes.h"
#include "driver/rpc/long_values.h"
#include "driver/rpc/status.h"

struct nghttp2_session;

namespace depot::rpc {

class FrameBatch;

using Headers = std::vector<std::pair<std::string, std::string>>;

/// One HTTP/2 stream that carries gRPC messages both ways (grpc/doc/PROTOCOL-HTTP2.md). Plain
/// state, changed by its session only.
struct H2Stream {
  std::int32_t id = 0;

  // What the peer sent.
  BudgetShare share;  ///< of the session's budget, for all of it
  Headers headers;
  Headers trailers;
  bool headers_done = false;
  bool remote_closed = false;  ///< the peer sent END_STREAM
  std::deque<std::string> messages;
  std::size_t queued_bytes = 0;      ///< in `messages`
  std::size_t unconsumed_bytes = 0;  ///< held back from the peer's flow-control window
  std::string prefix;                ///< of the message that is arriving, up to 5 bytes
  std::string body;                  ///< what has arrived of it
  bool gzip = false;                 ///< its messages may be packed, since ours may be
  std::optional<Status> fault;       ///< why nothing more is taken from the peer

  // What we send.
  std::deque<Bytes> outgoing;
  std::size_t outgoing_bytes = 0;
  bool wants_room = false;  ///< the sender is to hear of it (H2Events::drained)
  bool end_requested = false;
  std::optional<Headers> outgoing_trailers;

  bool closed = false;  ///< gone, whatever the reason
  std::uint32_t reset_code = 0;
};

/// What a session takes from its peer, in bytes.
struct H2Limits {
  std::size_t message;     ///< one message
  std::size_t unfinished;  ///< everything that nobody has taken yet, see Budget
};

/// What has happened in a session, for those who wait for it.
struct H2Events {
  using StreamPtr = std::shared_ptr<H2Stream>;

  std::vector<StreamPtr> requests;  ///< server: new calls
  std::vector<StreamPtr> arrived;   ///< a message, a fault, or the peer's last word
  std::vector<StreamPtr> drained;   ///< half of what was queued is sent, as `wants_room` asked
  std::vector<StreamPtr> ended;     ///< closed; nothing more comes or goes
  bool failed = false;              ///< the session has: see failure()
};

/// HTTP/2 in either role, by nghttp2, without threads, locks, waiting or input and output: bytes
/// go in by Receive() and come out by FillBatch(), and what they meant is in TakeEvents(). One
/// thread at a time. H2Connection is the one that moves the bytes.
class H2Session {
 public:
  /// Which end of the connection we are; only a client opens streams.
  enum class Role { kClient, kServer };
  using StreamPtr = std::shared_ptr<H2Stream>;
  using Time = std::chrono::steady_clock::time_point;

  /// `make_stream` makes every stream, of our calls and of the peer's: it may make something
  /// derived.
  H2Session(Role role, H2Limits limits, std::function<StreamPtr()> make_stream);
  ~H2Session();
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;

  /// Takes what the peer has sent.
  void Receive(std::string_view bytes, Time now);

  /// The peer sends nothing more: the session fails.
  void EndInput();

  /// Appends frames until the batch has `limit` bytes or nothing more may be sent now. The last
  /// frame may exceed the limit. False when the batch is empty.
  bool FillBatch(FrameBatch& batch, std::size_t limit, Time now);

  /// Whether FillBatch() has something to do: also when there is an end to be noticed.
  bool WantsWrite() const;

  /// When FillBatch() will answer the peer's PINGs; nullopt when there is none.
  std::optional<Time> pings_due() const;

  /// Client: opens a stream with these request headers. On a dead connection it is closed already.
  /// With `grpc-encoding: gzip` the peer's messages may be packed by it too.
  StreamPtr Open(const Headers& headers);

  /// Server: answers a request.
  void Respond(const H2Stream& stream, const Headers& headers);

  /// Queues bytes on a stream that is open for them (see CanSend()).
  void Send(H2Stream& stream, BytesList pieces);
  static bool CanSend(const H2Stream& stream) { return !stream.closed && !stream.end_requested; }

  /// Nothing more follows but the trailers (server).
  void EndSend(H2Stream& stream, std::optional<Headers> trailers);

  /// The next message; nullopt when there is none, the fault as an Error when none will come.
  Result<std::optional<std::string>> TakeMessage(H2Stream& stream);

  /// Ends one stream.
  void Reset(H2Stream& stream, std::uint32_t code);

  /// Ends the session and all its streams; the first reason is kept.
  void End(const Error& reason);
  const std::optional<Error>& failure() const { return failure_; }

  /// Why it will fail once the last frames are out.
  const std::optional<Error>& leaving() const { return leaving_; }

  /// Whether the peer has said GOAWAY.
  bool dismissed() const { return !goodbye_.empty(); }

  /// Bytes of Budget in use.
  std::size_t unfinished() const { return budget_->used(); }

  /// What has happened since the last time.
  H2Events TakeEvents() { return std::exchange(events_, {}); }

 private:
  struct Callbacks;  // nghttp2's side, in h2_callbacks.h
  using PingData = std::array<std::uint8_t, 8>;

  StreamPtr NewStream();
  void AcceptHeader(H2Stream& stream, std::string_view name, std::string_view value);
  void AcceptData(const StreamPtr& stream, std::string_view data);
  bool Unpack(H2Stream& stream);
  void Refuse(H2Stream& stream, Status fault);
  void TakeFrames(FrameBatch& batch, std::size_t up_to);
  void AnswerPings(FrameBatch& batch, Time now);
  void CloseStream(const StreamPtr& stream, std::uint32_t code);

  const Role role_;
  const std::size_t max_message_;
  const std::shared_ptr<Budget> budget_;
  const std::function<StreamPtr()> make_stream_;
  LongValues long_values_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, StreamPtr> streams_;
  H2Events events_;
  std::vector<PingData> pings_;  // without an answer
  Time answer_pings_at_;
  Time now_;  // while nghttp2 takes bytes
  std::optional<Error> failure_;
  std::optional<Error> leaving_;
  std::string goodbye_;          // what the peer said in GOAWAY
  std::uint32_t complaint_ = 0;  // what we said in ours
  FrameBatch* batch_ = nullptr;  // the one being filled
  std::size_t batch_limit_ = 0;  // its
};

}  // namespace depot::rpc
