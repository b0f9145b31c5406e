#include "pool/web/client_connection.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "driver/base/text.h"
#include "pool/web/body_count.h"
#include "pool/web/request_parser.h"
#include "pool/web/response_text.h"
#include "pool/web/routing.h"

// A connection is one coroutine on the loop's thread, so nothing here is locked. Waiting is always
// for the socket, a worker, or the one timer: Arm() says when waiting for the socket ends as
// kTimeout.

namespace depot::web {
namespace {

namespace asio = boost::asio;
template <typename T>
using Task = asio::awaitable<T>;
using Clock = std::chrono::steady_clock;
using Progress = RequestParser::Progress;
using Outcome = IoResult::Outcome;

constexpr std::size_t kReadAhead = 64 << 10;  // of a client that does not wait for its answer
constexpr std::chrono::milliseconds kShortestPause{10};
constexpr std::chrono::seconds kLingerTime{2};
constexpr int kStreamedBodies = 64;  // a streamed body may be that many whole ones

/// Runs `call` on a worker; what it refers to must live until the result is there.
template <typename T>
Task<T> CallOnWorker(std::function<T()> call) {
  co_return call();
}

template <typename T>
Task<T> OnWorker(Shared& shared, std::function<T()> call) {
  co_return co_await asio::co_spawn(shared.workers, CallOnWorker<T>(std::move(call)),
                                    asio::use_awaitable);
}

Response TooSlow() {
  return TextResponse(408, "the request took too long to arrive");
}

Response TooBig() {
  return TextResponse(413, "the request's body is too long");
}

ResponseForm FormFor(const RequestParser& parser, const Request& request) {
  return {request.method == "HEAD", parser.keep_alive(), parser.old()};
}

/// Who sends a request that came from `peer`: the client of a proxy, as that has added to what
/// clients may have said.
Peer SenderOf(const Request& request, const Peer& peer, const std::set<std::string>& proxies) {
  if (!proxies.contains(peer.address)) return peer;
  std::string said;
  for (const auto& [name, value] : request.headers) {
    if (name == "x-forwarded-for") said = value;
  }
  std::size_t comma = said.rfind(',');
  std::string last(Trim(comma == std::string::npos ? said : said.substr(comma + 1)));
  return ParsePeer(last).value_or(peer);
}

/// A body in memory, and how reading it ended.
struct Body {
  Body(Shared& shared, const std::string& network) : count(shared, network) {}

  BodyCount count;
  std::string text;
  std::optional<Response> refusal;
  bool gone = false;  ///< the client
};

/// One connection's bytes, and the time that there is for them. One coroutine at a time.
class Line : public std::enable_shared_from_this<Line> {
 public:
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  virtual ~Line() = default;

  bool Open(Fd socket, const TlsContext& tls) {
    boost::system::error_code error;
    socket_.assign(socket.get(), error);
    if (error) return false;
    transport_ = MakeTransport(socket.Release(), tls);
    return true;
  }

 protected:
  enum class Got { kData, kEnd, kTimeout, kGone };

  explicit Line(Shared& shared) : shared_(shared), socket_(shared.loop), timer_(shared.loop) {}

  void Wake() {
    boost::system::error_code ignored;
    socket_.cancel(ignored);
  }

  void Expire() {
    expired_ = true;
    Wake();
  }

  void Arm(Clock::duration limit) {
    expired_ = false;
    timer_.expires_after(limit);
    timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      // The wait that a later Arm() replaced may have been over already.
      if (!error && self->timer_.expiry() <= Clock::now()) self->Expire();
    });
  }

  /// False: stop waiting (timeout or closed).
  Task<bool> WaitFor(Outcome want) {
    co_return co_await WaitOn(want == Outcome::kWantWrite
                                  ? asio::posix::descriptor_base::wait_write
                                  : asio::posix::descriptor_base::wait_read);
  }

  Task<bool> WaitOn(asio::posix::descriptor_base::wait_type event) {
    if (expired_ || closed_) co_return false;
    auto [error] = co_await socket_.async_wait(event, asio::as_tuple(asio::use_awaitable));
    if (error && !expired_) closed_ = true;
    co_return !expired_ && !closed_;
  }

  Got WhyNot() const { return expired_ && !closed_ ? Got::kTimeout : Got::kGone; }

  Task<bool> Handshake() {
    while (true) {
      IoResult result = transport_->Handshake();
      if (result.outcome == Outcome::kDone) co_return true;
      if (result.outcome == Outcome::kEnd || result.outcome == Outcome::kBroken) co_return false;
      bool ready = co_await WaitFor(result.outcome);
      if (!ready) co_return false;
    }
  }

  /// More of what the client sends, at the end of in_.
  Task<Got> Fill() {
    while (!expired_ && !closed_) {
      IoResult result = transport_->Read(shared_.read_buffer.data(), shared_.read_buffer.size());
      if (result.outcome == Outcome::kDone) {
        in_.append(shared_.read_buffer.data(), result.bytes);
        co_return Got::kData;
      }
      if (result.outcome == Outcome::kEnd) co_return Got::kEnd;
      if (result.outcome == Outcome::kBroken) co_return Got::kGone;
      bool ready = co_await WaitFor(result.outcome);
      if (!ready) break;
    }
    co_return WhyNot();
  }

  Task<bool> Write(std::string_view bytes) {
    while (!bytes.empty()) {
      if (expired_ || closed_) co_return false;
      IoResult result = transport_->Write(bytes);
      if (result.outcome == Outcome::kDone) {
        bytes.remove_prefix(result.bytes);
        continue;
      }
      if (result.outcome == Outcome::kEnd || result.outcome == Outcome::kBroken) co_return false;
      bool ready = co_await WaitFor(result.outcome);
      if (!ready) co_return false;
    }
    co_return true;
  }

  /// Closing with unread bytes would be a reset, which may overtake the response.
  Task<void> Linger() {
    transport_->EndWriting();
    Arm(std::min<Clock::duration>(kLingerTime, shared_.limits.write));
    std::unique_ptr<Transport> raw = MakeTransport(socket_.native_handle(), nullptr);
    while (!expired_ && !closed_) {
      IoResult result = raw->Read(shared_.read_buffer.data(), shared_.read_buffer.size());
      if (result.outcome == Outcome::kEnd || result.outcome == Outcome::kBroken) co_return;
      // Also after reading: a client that floods must not hold up the loop.
      bool ready = co_await WaitFor(Outcome::kWantRead);
      if (!ready) co_return;
    }
  }

  /// Clients that ask before they send the body are told to go on.
  Task<bool> Invite(const RequestParser& parser) {
    if (!parser.expects_continue() || parser.complete() || !in_.empty()) co_return true;
    co_return co_await Write("HTTP/1.1 100 Continue\r\n\r\n");
  }

  Task<void> ReadBody(RequestParser& parser, std::size_t limit, Body& body) {
    if (parser.content_length().value_or(0) > limit) body.refusal = TooBig();
    if (!body.refusal) body.gone = !co_await Invite(parser);
    while (!body.refusal && !body.gone && !parser.complete()) {
      Progress progress = parser.ReadBody(in_, body.text);
      body.refusal = body.count.Set(body.text.size());
      if (progress == Progress::kBad) body.refusal = TextResponse(400, parser.reason());
      if (body.text.size() > limit) body.refusal = TooBig();
      if (body.refusal || progress != Progress::kMore) continue;
      Got got = co_await Fill();
      if (got == Got::kTimeout) body.refusal = TooSlow();
      body.gone = got == Got::kEnd || got == Got::kGone;
    }
  }

  void HangUp() {
    timer_.cancel();
    boost::system::error_code ignored;
    transport_->EndWriting();
    transport_.reset();
    socket_.close(ignored);
  }

  Shared& shared_;
  std::string in_;  // read, but not yet taken by a parser
  bool closed_ = false;

 private:
  asio::posix::stream_descriptor socket_;
  asio::steady_timer timer_;
  std::unique_ptr<Transport> transport_;
  bool expired_ = false;
};

/// What is asked on a connection, and how it is answered.
class BeastConnection final : public ClientConnection, public Line {
 public:
  BeastConnection(Shared& shared, Peer peer) : Line(shared), peer_(std::move(peer)) {}

  void Start() override {
    asio::co_spawn(
        shared_.loop, [self = shared_from_this(), this] { return Run(); }, asio::detached);
  }

  Clock::time_point idle_since() const override {
    return admitted_ ? Clock::time_point::max() : since_;
  }

  void Finish() override {
    if (resting_) return Close();
    if (waits_for_later_) Expire();
  }

  void Close() override {
    closed_ = true;
    Wake();
  }

 private:
  /// What becomes of the connection after a request.
  enum class Next { kRequest, kLinger, kClose };

  struct Goodbye {
    BeastConnection& connection;
    ~Goodbye() {
      connection.HangUp();
      connection.shared_.ended(connection);
    }
  };

  Task<void> Run() {
    Goodbye goodbye{*this};
    Arm(shared_.limits.handshake);
    if (!co_await Handshake()) co_return;
    Next next = Next::kRequest;
    while (next == Next::kRequest) {
      next = co_await ServeOne();
      admitted_ = false;
    }
    if (next == Next::kLinger && !closed_) co_await Linger();
  }

  Task<Next> ServeOne() {
    std::unique_ptr<RequestParser> parser = MakeRequestParser(shared_.limits.header_bytes);
    since_ = Clock::now();
    resting_ = true;
    // A client that always has a request ready must not keep the loop from the others.
    co_await asio::post(shared_.loop, asio::use_awaitable);
    if (shared_.stopping || closed_) co_return Next::kClose;
    if (in_.empty()) {
      in_.shrink_to_fit();
      Arm(shared_.limits.idle);
      Got got = co_await Fill();
      if (got != Got::kData) co_return Next::kClose;
    }
    since_ = Clock::now();
    resting_ = false;
    Arm(shared_.limits.request);
    Progress progress = parser->ReadHead(in_);
    while (progress == Progress::kMore) {
      Got got = co_await Fill();
      if (got == Got::kTimeout) co_return co_await Refuse(TooSlow());
      if (got != Got::kData) co_return Next::kClose;
      progress = parser->ReadHead(in_);
    }
    if (progress == Progress::kBad) co_return co_await Refuse(TextResponse(400, parser->reason()));
    if (progress == Progress::kTooBig) {
      co_return co_await Refuse(TextResponse(431, "the request's headers are too long"));
    }
    Request request = parser->head();
    Peer peer = SenderOf(request, peer_, shared_.limits.proxies);
    request.peer = std::move(peer.address);
    request.network = std::move(peer.network);
    request.begun = Clock::now();
    Route route = FindRoute(shared_.routes, request.method, request.path);
    if (route.door != nullptr) co_return co_await Enter(*parser, std::move(request), *route.door);
    if (route.whole == nullptr) co_return co_await Dismiss(*parser, request, route.refusal);
    co_return co_await ServeWhole(*parser, std::move(request), *route.whole,
                                  shared_.limits.stranger_body_bytes);
  }

  /// Nothing of the body is read before the door has let its sender through.
  Task<Next> Enter(RequestParser& parser, Request request, const Door& door) {
    std::function<Entrance()> ask = [&] { return door(request, shared_.cancel); };
    std::optional<Entrance> entrance = co_await Ask(std::move(ask), !parser.complete());
    if (!entrance) co_return Next::kClose;
    Arm(shared_.limits.request);
    if (const Response* answer = std::get_if<Response>(&*entrance)) {
      co_return co_await Dismiss(parser, request, *answer);
    }
    admitted_ = true;
    if (!std::exchange(known_, true)) shared_.known(*this);
    if (auto* reader = std::get_if<std::unique_ptr<BodyReader>>(&*entrance)) {
      co_return co_await ServeStreamed(parser, request, **reader);
    }
    Handler handler = std::get<Handler>(*std::move(entrance));
    co_return co_await ServeWhole(parser, std::move(request), handler, shared_.limits.body_bytes);
  }

  /// Answers a request whose body nobody wants; a short one is read, so that the connection can
  /// serve the next request.
  Task<Next> Dismiss(RequestParser& parser, const Request& request, const Response& response) {
    constexpr std::uint64_t kUnknown = UINT64_MAX;
    std::uint64_t length = parser.complete() ? 0 : parser.content_length().value_or(kUnknown);
    if (length > shared_.limits.stranger_body_bytes || (length > 0 && parser.expects_continue())) {
      co_return co_await Refuse(response);
    }
    Body body(shared_, request.network);
    co_await ReadBody(parser, shared_.limits.stranger_body_bytes, body);
    if (body.gone) co_return Next::kClose;
    if (body.refusal) co_return co_await Refuse(*std::move(body.refusal));
    co_return co_await Send(response, FormFor(parser, request));
  }

  /// Answers a request that was not read to its end.
  Task<Next> Refuse(Response response) {
    (void)co_await Send(response, {false, false, false});
    co_return Next::kLinger;
  }

  Task<Next> Send(const Response& response, ResponseForm form) {
    form.keep_alive = form.keep_alive && !shared_.stopping;
    Arm(shared_.limits.write);
    Secret text = ResponseText(response, form);
    bool sent = co_await Write(text.Reveal());
    if (!sent) co_return Next::kClose;
    co_return form.keep_alive ? Next::kRequest : Next::kLinger;
  }

  Task<Next> ServeWhole(RequestParser& parser,
                        Request request,
                        const Handler& handler,
                        std::size_t limit) {
    Body body(shared_, request.network);
    co_await ReadBody(parser, limit, body);
    if (body.gone) co_return Next::kClose;
    if (body.refusal) co_return co_await Refuse(*std::move(body.refusal));
    request.body = Secret(std::move(body.text));
    std::function<Answer()> ask = [&] { return handler(request, shared_.cancel); };
    std::optional<Answer> answer = co_await Ask(std::move(ask), false);
    if (!answer) co_return Next::kClose;
    co_return co_await Send(std::get<Response>(*answer), FormFor(parser, request));
  }

  /// What a handler or a door says, however often it says Later first; nullopt when the client has
  /// gone. `body_follows`: what the client sends meanwhile may be in order.
  template <typename Said>
  Task<std::optional<Said>> Ask(std::function<Said()> ask, bool body_follows) {
    Clock::time_point give_up = Clock::now() + shared_.limits.longest_wait;
    while (true) {
      Said said = co_await OnWorker<Said>(shared_, ask);
      const Later* later = std::get_if<Later>(&said);
      if (later == nullptr) co_return std::move(said);
      if (shared_.stopping) co_return TextResponse(503, "the server is stopping: ask again");
      Clock::duration left = give_up - Clock::now();
      if (left <= Clock::duration::zero()) {
        co_return TextResponse(504, "nothing came of the wait: ask again");
      }
      Clock::duration pause = std::max(later->pause, kShortestPause);
      bool there = co_await Pause(std::min(pause, left), body_follows);
      if (!there) co_return std::nullopt;
      if (shared_.stopping) co_return TextResponse(503, "the server is stopping: ask again");
    }
  }

  /// False when the client has gone meanwhile: reading is the only way to notice.
  Task<bool> Pause(Clock::duration pause, bool body_follows) {
    waits_for_later_ = true;
    Arm(pause);
    Got got = Got::kData;
    while (got == Got::kData && in_.size() <= kReadAhead)
      got = co_await Fill();
    while (got == Got::kData && body_follows) {
      bool there = co_await WaitOn(asio::posix::descriptor_base::wait_error);
      if (!there) got = WhyNot();
    }
    waits_for_later_ = false;
    co_return got == Got::kTimeout;
  }

  Task<Next> ServeStreamed(RequestParser& parser, const Request& head, BodyReader& reader) {
    std::uint64_t left = std::uint64_t{shared_.limits.body_bytes} * kStreamedBodies;
    if (parser.content_length().value_or(0) > left) co_return co_await Refuse(TooBig());
    Arm(shared_.limits.piece);
    bool invited = co_await Invite(parser);
    if (!invited) co_return Next::kClose;
    while (!parser.complete()) {
      std::string piece;
      Progress progress = parser.ReadBody(in_, piece);
      if (progress == Progress::kBad) {
        co_return co_await Refuse(TextResponse(400, parser.reason()));
      }
      if (piece.size() > left) co_return co_await Refuse(TooBig());
      left -= piece.size();
      if (!piece.empty()) {
        std::function<Result<>()> take = [&] { return reader.Take(piece); };
        Result<> taken = co_await OnWorker<Result<>>(shared_, std::move(take));
        if (!taken) co_return co_await Refuse(TextResponse(400, taken.error().message()));
        Arm(shared_.limits.piece);
      }
      if (progress != Progress::kMore) continue;
      Got got = co_await Fill();
      if (got == Got::kTimeout) co_return co_await Refuse(TooSlow());
      if (got != Got::kData) co_return Next::kClose;
    }
    std::function<Response()> end = [&] { return reader.End(); };
    Response response = co_await OnWorker<Response>(shared_, std::move(end));
    co_return co_await Send(response, FormFor(parser, head));
  }

  const Peer peer_;
  Clock::time_point since_ = Clock::now();  // of the rest, or of the request that is not admitted
  bool resting_ = true;                     // before the first byte of a request
  bool admitted_ = false;                   // a door has let this request through
  bool known_ = false;                      // and has let one through before
  bool waits_for_later_ = false;
};

}  // namespace

std::shared_ptr<ClientConnection> MakeClientConnection(Shared& shared,
                                                       Client client,
                                                       const TlsContext& tls) {
  auto connection = std::make_shared<BeastConnection>(shared, std::move(client.peer));
  if (!connection->Open(std::move(client.socket), tls)) return nullptr;
  return connection;
}

}  // namespace depot::web
