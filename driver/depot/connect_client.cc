#include "driver/depot/connect_client.h"

#include <algorithm>

#include "driver/base/backoff.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/depot/connect_answer.h"
#include "driver/http/url.h"

namespace depot::api {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxAnswer = 8 << 20;
constexpr int kTries = 3;

/// What of each thing that a pool says of its answer is shown.
constexpr std::size_t kLongestReason = 300;

constexpr std::string_view kUnaryType = "application/proto";
constexpr std::string_view kStreamType = "application/connect+proto";

std::string MethodOf(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

bool IsHere(const std::string& base) {
  auto url = http::ParseUrl(base);
  return url && http::IsLoopback(http::HostName(url->authority));
}

std::string Said(const http::Response& answer, std::string_view header) {
  return Printable(answer.Header(header).substr(0, kLongestReason));
}

std::string Seconds(milliseconds time) {
  return Cat(std::chrono::ceil<std::chrono::seconds>(time).count(), " s");
}

/// One attempt at one call.
class Exchange {
 public:
  using Outcome = tl::expected<std::string, Failure>;

  Exchange(const Call& call, const Caller& caller, const std::string& base)
      : asked_{MethodOf(call.path), base, caller} {
    request_.method = "POST";
    request_.url = base + call.path;
    request_.peer = Cat("the Depot API ", base);
    request_.max_body = kMaxAnswer;
    request_.http2 = true;
    request_.headers = {{"Connect-Protocol-Version", "1"}};
    if (!caller.token.empty()) request_.bearer = caller.token;
    request_.on_connected = [this] { connected_ = true; };
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  http::Request& request() { return request_; }

  Outcome Unary(const Call& call, http::HttpClient& client, const Cancel& cancel) {
    request_.headers.emplace_back("Content-Type", kUnaryType);
    request_.body = Secret(call.message);
    Result<http::Response> answer = client.Send(request_, cancel);
    if (!answer) return tl::unexpected(Lost(std::move(answer).error(), cancel));
    if (auto failure = CheckAnswer(asked_, *answer, kUnaryType)) return Unexpected(failure);
    if (call.note != nullptr) {
      *call.note = {Said(*answer, "depot-pool-queue"), Said(*answer, "depot-pool-reason"),
                    Said(*answer, "depot-pool-barred")};
    }
    return std::move(answer->body);
  }

  /// `first_is_enough`: the message is the answer, whether the stream goes on or not.
  Outcome Stream(const std::string& message,
                 bool first_is_enough,
                 http::HttpClient& client,
                 const Cancel& cancel) {
    request_.headers.emplace_back("Content-Type", kStreamType);
    request_.body = Secret(Envelope(message));
    std::string body;
    bool enough = false;
    request_.body_sink = [&](std::string_view data) -> Result<> {
      if (body.size() + data.size() > kMaxAnswer) {
        return Fail(ErrorCode::kInvalid, Cat(request_.peer, " sent more than 8 MiB"));
      }
      body += data;
      enough = first_is_enough && ReadStream(body).message.has_value();
      if (!enough) return {};
      return Fail(ErrorCode::kInternal, "the rest of the stream is not read");
    };
    Result<http::Response> answer = client.Send(request_, cancel);
    StreamContent content = ReadStream(body);
    if (enough) return *std::move(content.message);
    if (!answer) return tl::unexpected(Lost(std::move(answer).error(), cancel));
    answer->body = std::move(body);
    if (auto failure = CheckAnswer(asked_, *answer, kStreamType)) return Unexpected(failure);
    return Conclude(std::move(content));
  }

 private:
  static Outcome Unexpected(std::optional<Failure>& failure) {
    return tl::unexpected(*std::move(failure));
  }

  Outcome Conclude(StreamContent content) {
    if (content.end) {
      if (auto failure = CheckEnd(asked_, *content.end)) return Unexpected(failure);
    }
    if (content.message && content.end) return *std::move(content.message);
    Failure failure{Error(ErrorCode::kInvalid,
                          Cat(asked_.method, ": ", request_.peer,
                              content.malformed || content.end
                                  ? " answers with a malformed stream"
                                  : " closed the connection in the middle of its answer"))};
    failure.may_pass = !content.malformed && !content.end;
    failure.reason = failure.error.message();
    return tl::unexpected(std::move(failure));
  }

  /// What the HTTP client said, with what was being done.
  Failure Lost(Error error, const Cancel& cancel) const {
    const bool silent = error.code() == ErrorCode::kTimeout && cancel.cancelled();
    if (silent) {
      error = Error(ErrorCode::kTimeout, Cat(request_.peer, ": ", error.message()));
    }
    if (error.hint().empty() && (silent || error.code() == ErrorCode::kUnavailable)) {
      error = std::move(error).WithHint(
          "try again later; DEPOT_API_URL and the proxy variables say which way is taken");
    }
    Failure failure{error};
    failure.reason = error.message();
    failure.undone = !connected_;
    // Of several pools behind one name, the machine of one may be gone.
    const bool unanswered = error.code() == ErrorCode::kTimeout && !connected_ && !silent;
    failure.may_pass = error.code() == ErrorCode::kUnavailable || unanswered;
    failure.silent = silent;
    failure.error = std::move(error).While(asked_.method);
    return failure;
  }

  http::Request request_;
  Asked asked_;
  bool connected_ = false;
};

/// How long one try may take. What has to be told before `cancel` ends keeps half of the time for
/// a try on a new connection: a kept one may be dead, and nobody has heard of it.
milliseconds PatienceOf(Retry retry, int failed, milliseconds usual, const Cancel& cancel) {
  const auto end = cancel.deadline();
  if (retry != Retry::kUntilCancelled || failed > 1 || !end) return usual;
  const auto left = std::chrono::ceil<milliseconds>(*end - Cancel::Clock::now());
  return std::min(usual, left / 2);
}

/// How long to wait before the next try; nullopt when there is to be none.
std::optional<milliseconds> NextWait(
    Retry retry, const Failure& failure, int failed, const Backoff& backoff, const Times& times) {
  // It was waited for already.
  if (failure.silent && retry == Retry::kUntilCancelled) return milliseconds(0);
  if (!failure.may_pass || retry == Retry::kNever) return std::nullopt;
  if (retry == Retry::kUndone && !failure.undone) return std::nullopt;
  if (retry != Retry::kUntilCancelled && failed > kTries) return std::nullopt;
  if (!failure.retry_after) return backoff.WaitAfter(failed);
  // An API that says "at once" is not to be flooded.
  return backoff.WaitAsked(std::max<milliseconds>(*failure.retry_after, backoff.first),
                           times.trying);
}

/// The waits between the tries of one call, which begins now.
Backoff WaitsOf(const Call& call, const Times& times, const Cancel& cancel) {
  Backoff backoff{times.first_wait, 2, 4 * times.first_wait};
  if (call.retry != Retry::kUntilCancelled) backoff = backoff.Within(times.trying);
  const auto end = cancel.deadline();
  if (end && (!backoff.deadline || *end < *backoff.deadline)) backoff.deadline = end;
  return backoff;
}

}  // namespace

ConnectClient::ConnectClient(http::HttpClient& client,
                             std::string base,
                             std::function<void(std::string)> say,
                             const Times& times)
    : client_(client),
      base_(std::move(base)),
      loopback_(IsHere(base_)),
      say_(std::move(say)),
      times_(times) {}

Result<std::string> ConnectClient::Unary(const Call& call,
                                         const Caller& caller,
                                         const Cancel& cancel) {
  return Run(Kind::kUnary, call, caller, cancel);
}

Result<std::string> ConnectClient::ClientStream(const Call& call,
                                                const Caller& caller,
                                                const Cancel& cancel) {
  return Run(Kind::kClientStream, call, caller, cancel);
}

Result<std::string> ConnectClient::ServerStream(const Call& call,
                                                const Caller& caller,
                                                const Cancel& cancel) {
  return Run(Kind::kServerStream, call, caller, cancel);
}

Result<std::string> ConnectClient::Run(Kind kind,
                                       const Call& call,
                                       const Caller& caller,
                                       const Cancel& cancel) {
  const milliseconds usual = kind == Kind::kServerStream ? times_.login : times_.attempt;
  const Backoff backoff = WaitsOf(call, times_, cancel);
  std::optional<Error> last;
  for (int failed = 1;; ++failed) {
    Exchange attempt(call, caller, base_);
    // A proxy would see what is meant for this machine.
    attempt.request().transport.use_proxy = !loopback_;
    const milliseconds patience = PatienceOf(call.retry, failed, usual, cancel);
    const Cancel bounded =
        cancel.WithTimeout(patience, Cat("no answer within ", Seconds(patience)));
    Exchange::Outcome outcome =
        kind == Kind::kUnary
            ? attempt.Unary(call, client_, bounded)
            : attempt.Stream(call.message, kind == Kind::kServerStream, client_, bounded);
    if (outcome) return *std::move(outcome);
    if (cancel.cancelled()) {
      // Time was up in the middle of a try: what the tries before met says more.
      Error error = cancel.error();
      return Fail(last && error.code() == ErrorCode::kTimeout ? *std::move(last) : error);
    }
    const Failure& failure = outcome.error();
    const auto wait = NextWait(call.retry, failure, failed, backoff, times_);
    if (!wait) return Fail(failure.error);
    if (!failure.silent) last = failure.error;
    say_(Cat(failure.reason, ": trying again ", wait->count() == 0 ? "at once" : "in ",
             wait->count() == 0 ? "" : Seconds(*wait),
             call.retry == Retry::kUntilCancelled ? std::string()
                                                  : Cat(" (", failed, " of ", kTries, ")")));
    if (!cancel.SleepFor(*wait)) return Fail(cancel.error());
  }
}

}  // namespace depot::api
