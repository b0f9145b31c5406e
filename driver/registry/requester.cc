#include "driver/registry/requester.h"

#include <algorithm>
#include <optional>

#include "driver/base/text.h"
#include "driver/http/retry_after.h"
#include "driver/http/url.h"
#include "driver/registry/attempts.h"
#include "driver/registry/refusal.h"

namespace depot::registry {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxRedirects = 5;
constexpr std::size_t kRefusalShown = 64 << 10;

bool IsSuccess(const http::Response& response) {
  return response.status >= 200 && response.status < 300;
}

/// Whether it is done what was asked for. A web page with status 200 is a captive portal's.
bool IsDone(const Requester::Answer& answer) {
  if (!IsSuccess(answer.response)) return false;
  return !answer.from_registry || IsFromRegistry(answer.response);
}

bool IsAnswer(const Result<Requester::Answer>& answer, const RegistryCall& call) {
  if (!answer) return false;
  const int status = answer->response.status;
  const bool missing = call.may_be_missing && status == 404;
  const bool changed = call.may_have_changed && status == kChanged;
  return missing || changed || IsDone(*answer);
}

/// nullopt: another attempt is of no use.
std::optional<milliseconds> PauseAfter(const Result<http::Response>& outcome, Attempts& attempts) {
  if (!MayPass(outcome)) return std::nullopt;
  return attempts.Next(outcome ? http::RetryAfter(*outcome) : std::nullopt);
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// Sends with what the call gives to and takes from bodies. A refusal is not for the sink: its
/// beginning becomes the body of the answer.
Result<http::Response> SendWithBodies(http::HttpClient& client,
                                      http::Request& request,
                                      const RegistryCall& call,
                                      const Cancel& cancel) {
  std::string beginning;
  bool wanted = true;
  if (call.source != nullptr) {
    TRY(call.source->restart());
    request.body_source = call.source->read;
  }
  if (call.sink != nullptr) {
    TRY(call.sink->restart());
    request.on_status = [&](int status) { wanted = status / 100 == 2; };
    request.body_sink = [&](std::string_view piece) -> Result<> {
      beginning.append(piece.substr(0, kRefusalShown - std::min(kRefusalShown, beginning.size())));
      return wanted ? call.sink->write(piece) : Result<>();
    };
  }
  TRY_ASSIGN(http::Response response, SendTo(client, request, cancel));
  if (call.sink != nullptr && !IsSuccess(response)) response.body = std::move(beginning);
  return response;
}

Result<http::Url> Follow(const http::Url& from,
                         const std::string& location,
                         const std::string& host) {
  auto refuse = [&](std::string_view why) {
    return Fail(ErrorCode::kInvalid,
                Cat("the registry ", host, " redirects to a place that ", why));
  };
  bool same_host = location.starts_with('/') && !location.starts_with("//");
  std::string scheme = from.encrypted ? "https://" : "http://";
  std::string whole = location;
  if (same_host) whole = Cat(scheme, from.authority, location);
  Result<http::Url> to = http::ParseUrl(whole);
  if (!to) return refuse(to.error().message());
  if (from.encrypted && !to->encrypted) return refuse("is not encrypted");
  return to;
}

}  // namespace

Requester::Requester(http::HttpClient& client,
                     Endpoints& endpoints,
                     Authorizer& authorizer,
                     std::string host,
                     std::string name,
                     std::function<void(std::string)> say)
    : client_(client),
      endpoints_(endpoints),
      authorizer_(authorizer),
      host_(std::move(host)),
      name_(std::move(name)),
      say_(std::move(say)) {}

Result<http::Response> Requester::Send(const RegistryCall& call, const Cancel& cancel) {
  Attempts attempts;
  std::string silence =
      Cat("the registry ", host_, " did not answer in ", call.patience.count(), " s");
  for (;;) {
    const int attempt = attempts.number();
    Result<Answer> answer = Ask(call, cancel.WithTimeout(call.patience, silence));
    bool done = IsAnswer(answer, call);
    Proof proof = answer ? answer->proof : Proof();
    Result<http::Response> outcome =
        std::move(answer).map([](Answer&& got) { return std::move(got.response); });
    if (done) return outcome;
    TRY(cancel.Check());
    std::optional<milliseconds> pause = PauseAfter(outcome, attempts);
    if (!pause) {
      std::string tries = attempt > 1 ? Cat(" (", attempt, " attempts)") : "";
      Error why = outcome ? Explain({*std::move(outcome), proof}) : outcome.error();
      return Fail(std::move(why).While(Cat(call.doing, tries)));
    }
    SayRetry(call, outcome, attempts.Shown(*pause));
    if (!cancel.SleepFor(*pause)) return Fail(cancel.error());
  }
}

Result<Requester::Answer> Requester::Ask(const RegistryCall& call, const Cancel& cancel) {
  TRY_ASSIGN(Proof proof, authorizer_.Prove(cancel));
  for (;;) {
    TRY_ASSIGN(Answer answer, SendAlong(call, proof, cancel));
    if (IsDone(answer)) {
      bool reads = call.method == "GET" || call.method == "HEAD" || call.method == "DELETE";
      authorizer_.Accepted(proof, !reads);
    }
    int status = answer.response.status;
    // Whoever else says no shall not get one password after the other. A HEAD shows too little.
    bool stranger = call.method != "HEAD" && !IsFromRegistry(answer.response);
    bool refused = status == 401 || (status == 403 && !stranger);
    if (!refused || !answer.from_registry) return answer;
    TRY_ASSIGN(std::optional<Proof> next, authorizer_.ProveAgain(answer.response, proof, cancel));
    if (!next) return answer;
    proof = std::move(*next);
  }
}

Result<Requester::Answer> Requester::SendAlong(const RegistryCall& call,
                                               const Proof& proof,
                                               const Cancel& cancel) {
  TRY_ASSIGN(Endpoint endpoint, endpoints_.Find(host_, cancel));
  const http::Url registry{endpoint.encrypted, LowerAscii(host_),
                           Cat("/v2/", name_, '/', call.path)};
  http::Url at = registry;
  for (int redirects = 0;; ++redirects) {
    bool at_registry = at.encrypted == registry.encrypted && at.authority == registry.authority;
    http::Request request;
    request.method = call.method;
    request.url = Cat(at.encrypted ? "https://" : "http://", at.authority, at.rest);
    request.headers = call.headers;
    request.body = Secret(call.body);
    request.max_body = call.max_body;
    request.transport = endpoints_.TransportOf(at.authority);
    request.peer = at_registry ? Cat("the registry ", host_)
                               : Cat(at.authority, ", where the registry ", host_, " leads to");
    if (at_registry) {
      request.basic_auth = proof.basic;
      request.bearer = proof.bearer;
    }
    request.silence = call.silence;
    TRY_ASSIGN(http::Response response, SendWithBodies(client_, request, call, cancel));
    bool reads = call.method == "GET" || call.method == "HEAD";
    if (!reads || !IsRedirect(response.status)) {
      return Answer{std::move(response), proof, at_registry};
    }
    if (redirects == kMaxRedirects) {
      return Fail(ErrorCode::kInvalid,
                  Cat("the registry ", host_, " redirects more than ", kMaxRedirects, " times"));
    }
    TRY_ASSIGN(at, Follow(at, response.Header("location"), host_));
  }
}

Error Requester::Explain(const Answer& answer) {
  return Refusal(answer.response, {host_, SourcesOf(answer.proof.attempt), answer.proof});
}

void Requester::SayRetry(const RegistryCall& call,
                         const Result<http::Response>& outcome,
                         const std::string& next) {
  if (!say_) return;
  std::string why = outcome ? Cat("the registry ", host_, " answered with status ", outcome->status)
                            : outcome.error().message();
  say_(Cat(call.doing, ": ", why, "; ", next));
}

}  // namespace depot::registry
