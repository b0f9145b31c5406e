#include "pool/web/session.h"

#include <algorithm>
#include <optional>
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

#include "pool/web/request_parser.h"
#include "pool/web/response_text.h"
#include "pool/web/routing.h"

#include "driver/base/text.h"

// A session is one coroutine on the loop's thread, so nothing here is locked. Waiting is always for
// the socket, a worker, or the one timer: Arm() says when waiting for the socket ends as kTimeout.

namespace depot::web {
namespace {

namespace asio = boost::asio;
template <typename T>
using Task = asio::awaitable<T>;
using Clock = std::chrono::steady_clock;
using Progress = RequestParser::Progress;
using Outcome = Attempt::Outcome;
using StreamChoice = std::variant<Response, std::unique_ptr<BodyReader>>;

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

/// Counts a body while it is in memory.
class BodyCount {
 public:
  explicit BodyCount(Shared& shared) : shared_(shared) {}
  BodyCount(const BodyCount&) = delete;
  BodyCount& operator=(const BodyCount&) = delete;
  ~BodyCount() { Set(0); }

  /// False when all bodies together are too many bytes.
  bool Set(std::size_t bytes) {
    shared_.body_bytes += bytes - bytes_;
    bytes_ = bytes;
    return shared_.body_bytes <= shared_.limits.bodies_bytes;
  }

 private:
  Shared& shared_;
  std::size_t bytes_ = 0;
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
    if (expired_ || closed_) co_return false;
    auto direction = want == Outcome::kWantWrite ? asio::posix::descriptor_base::wait_write
                                                 : asio::posix::descriptor_base::wait_read;
    auto [error] = co_await socket_.async_wait(direction, asio::as_tuple(asio::use_awaitable));
    if (error && !expired_) closed_ = true;
    co_return !expired_ && !closed_;
  }

  Got WhyNot() const { return expired_ && !closed_ ? Got::kTimeout : Got::kGone; }

  Task<bool> Handshake() {
    while (true) {
      Attempt attempt = transport_->Handshake();
      if (attempt.outcome == Outcome::kDone) co_return true;
      if (attempt.outcome == Outcome::kEnd || attempt.outcome == Outcome::kBroken) co_return false;
      bool ready = co_await WaitFor(attempt.outcome);
      if (!ready) co_return false;
    }
  }

  /// More of what the client sends, at the end of in_.
  Task<Got> Fill() {
    while (!expired_ && !closed_) {
      Attempt attempt = transport_->Read(shared_.read_buffer.data(), shared_.read_buffer.size());
      if (attempt.outcome == Outcome::kDone) {
        in_.append(shared_.read_buffer.data(), attempt.bytes);
        co_return Got::kData;
      }
      if (attempt.outcome == Outcome::kEnd) co_return Got::kEnd;
      if (attempt.outcome == Outcome::kBroken) co_return Got::kGone;
      bool ready = co_await WaitFor(attempt.outcome);
      if (!ready) break;
    }
    co_return WhyNot();
  }

  Task<bool> Write(std::string_view bytes) {
    while (!bytes.empty()) {
      if (expired_ || closed_) co_return false;
      Attempt attempt = transport_->Write(bytes);
      if (attempt.outcome == Outcome::kDone) {
        bytes.remove_prefix(attempt.bytes);
        continue;
      }
      if (attempt.outcome == Outcome::kEnd || attempt.outcome == Outcome::kBroken) co_return false;
      bool ready = co_await WaitFor(attempt.outcome);
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
      Attempt attempt = raw->Read(shared_.read_buffer.data(), shared_.read_buffer.size());
      if (attempt.outcome == Outcome::kEnd || attempt.outcome == Outcome::kBroken) co_return;
      // Also after reading: a client that floods must not hold up the loop.
      bool ready = co_await WaitFor(Outcome::kWantRead);
      if (!ready) co_return;
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

class ClientSession final : public Session, public Line {
 public:
  ClientSession(Shared& shared, std::string peer) : Line(shared), peer_(std::move(peer)) {}

  void Start() override {
    asio::co_spawn(
        shared_.loop, [self = shared_from_this(), this] { return Run(); }, asio::detached);
  }

  Clock::time_point idle_since() const override { return idle_since_; }

  void Finish() override {
    if (idle_since_ != Clock::time_point::max()) return Close();
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
    ClientSession& session;
    ~Goodbye() {
      session.HangUp();
      session.shared_.ended(session);
    }
  };

  Task<void> Run() {
    Goodbye goodbye{*this};
    Arm(shared_.limits.handshake);
    if (!co_await Handshake()) co_return;
    Next next = Next::kRequest;
    while (next == Next::kRequest)
      next = co_await ServeOne();
    if (next == Next::kLinger && !closed_) co_await Linger();
  }

  Task<Next> ServeOne() {
    std::unique_ptr<RequestParser> parser = MakeRequestParser(shared_.limits.header_bytes);
    idle_since_ = Clock::now();
    // A client that always has a request ready must not keep the loop from the others.
    co_await asio::post(shared_.loop, asio::use_awaitable);
    if (shared_.stopping || closed_) co_return Next::kClose;
    if (in_.empty()) {
      in_.shrink_to_fit();
      Arm(shared_.limits.idle);
      Got got = co_await Fill();
      if (got != Got::kData) co_return Next::kClose;
    }
    idle_since_ = Clock::time_point::max();
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
    request.peer = peer_;
    Route route = FindRoute(shared_.routes, request.method, request.path);
    if (route.streamed != nullptr) {
      co_return co_await ServeStreamed(*parser, request, *route.streamed);
    }
    co_return co_await ServeWhole(*parser, std::move(request), route);
  }

  static Response TooSlow() { return TextResponse(408, "the request took too long to arrive"); }

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

  static ResponseForm FormFor(const RequestParser& parser, const Request& request) {
    return {request.method == "HEAD", parser.keep_alive(), parser.old()};
  }

  /// Clients that ask before they send the body are told to go on.
  Task<bool> Invite(const RequestParser& parser) {
    if (!parser.expects_continue() || parser.complete() || !in_.empty()) co_return true;
    co_return co_await Write("HTTP/1.1 100 Continue\r\n\r\n");
  }

  Task<Next> ServeWhole(RequestParser& parser, Request request, const Route& route) {
    BodyCount count(shared_);
    std::string body;
    std::optional<Response> refusal;
    if (parser.content_length().value_or(0) > shared_.limits.body_bytes) refusal = TooBig();
    if (!refusal) {
      bool invited = co_await Invite(parser);
      if (!invited) co_return Next::kClose;
    }
    while (!refusal && !parser.complete()) {
      Progress progress = parser.ReadBody(in_, body);
      if (progress == Progress::kBad) refusal = TextResponse(400, parser.reason());
      if (body.size() > shared_.limits.body_bytes) refusal = TooBig();
      if (!count.Set(body.size())) refusal = TextResponse(503, "too many requests at once");
      if (refusal || progress != Progress::kMore) continue;
      Got got = co_await Fill();
      if (got == Got::kTimeout) refusal = TooSlow();
      if (got == Got::kEnd || got == Got::kGone) co_return Next::kClose;
    }
    request.body = Secret(std::move(body));
    if (refusal) co_return co_await Refuse(*std::move(refusal));
    ResponseForm form = FormFor(parser, request);
    if (route.whole == nullptr) co_return co_await Send(route.refusal, form);
    std::optional<Response> response = co_await Ask(*route.whole, request);
    if (!response) co_return Next::kClose;
    co_return co_await Send(*response, form);
  }

  static Response TooBig() { return TextResponse(413, "the request's body is too long"); }

  /// The handler's response, however often it says Later; nullopt when the client has gone.
  Task<std::optional<Response>> Ask(const Handler& handler, const Request& request) {
    Clock::time_point give_up = Clock::now() + shared_.limits.longest_wait;
    while (true) {
      std::function<Answer()> call = [&] { return handler(request, shared_.cancel); };
      Answer answer = co_await OnWorker<Answer>(shared_, std::move(call));
      if (Response* response = std::get_if<Response>(&answer)) co_return std::move(*response);
      if (shared_.stopping) co_return TextResponse(503, "the server is stopping: ask again");
      Clock::duration left = give_up - Clock::now();
      if (left <= Clock::duration::zero()) {
        co_return TextResponse(504, "nothing came of the wait: ask again");
      }
      Clock::duration pause = std::max(std::get<Later>(answer).pause, kShortestPause);
      bool there = co_await Pause(std::min(pause, left));
      if (!there) co_return std::nullopt;
      if (shared_.stopping) co_return TextResponse(503, "the server is stopping: ask again");
    }
  }

  /// False when the client has gone meanwhile: reading is the only way to notice.
  Task<bool> Pause(Clock::duration pause) {
    waits_for_later_ = true;
    Arm(pause);
    Got got = Got::kData;
    while (got == Got::kData && in_.size() <= kReadAhead)
      got = co_await Fill();
    waits_for_later_ = false;
    co_return got == Got::kTimeout;
  }

  Task<Next> ServeStreamed(RequestParser& parser,
                           const Request& head,
                           const StreamHandler& handler) {
    std::function<StreamChoice()> choose = [&] { return handler(head); };
    StreamChoice choice = co_await OnWorker<StreamChoice>(shared_, std::move(choose));
    ResponseForm form = FormFor(parser, head);
    if (const Response* response = std::get_if<Response>(&choice)) {
      form.keep_alive = form.keep_alive && parser.complete();
      co_return co_await Send(*response, form);
    }
    BodyReader& reader = *std::get<std::unique_ptr<BodyReader>>(choice);
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
    co_return co_await Send(response, form);
  }

  const std::string peer_;
  Clock::time_point idle_since_ = Clock::now();
  bool waits_for_later_ = false;
};

}  // namespace

std::shared_ptr<Session> MakeSession(Shared& shared,
                                     Fd socket,
                                     std::string peer,
                                     const TlsContext& tls) {
  auto session = std::make_shared<ClientSession>(shared, std::move(peer));
  if (!session->Open(std::move(socket), tls)) return nullptr;
  return session;
}

}  // namespace depot::web
