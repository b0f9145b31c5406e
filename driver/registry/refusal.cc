#include "driver/registry/refusal.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "driver/base/hints.h"
#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/http/retry_after.h"
#include "driver/http/url.h"
#include "driver/registry/challenge.h"

namespace depot::registry {
namespace {

constexpr std::size_t kMaxReasons = 3;
constexpr std::size_t kMaxReasonSize = 300;

bool IsTransient(int status) {
  constexpr std::array kStatuses = {429, 500, 502, 503, 504};
  return std::find(kStatuses.begin(), kStatuses.end(), status) != kStatuses.end();
}

bool HasErrors(std::string_view body) {
  Result<Json> json = Json::Parse(body);
  return json && (*json)["errors"][0]["code"].is_string();
}

/// Basic with any realm, or Bearer with the URL of a token server.
std::optional<Challenge> ChallengeOf(const http::Response& response) {
  for (const auto& [name, value] : response.headers) {
    if (name != "www-authenticate") continue;
    for (Challenge& challenge : ParseChallenges(value)) {
      bool token_server = http::ParseUrl(challenge.Parameter("realm")).has_value();
      if (challenge.scheme == "basic" || (challenge.scheme == "bearer" && token_server)) {
        return challenge;
      }
    }
  }
  return std::nullopt;
}

bool IsWebPage(const http::Response& response) {
  return LowerAscii(response.Header("content-type")).starts_with("text/html");
}

/// The realm of a login that says nothing else of itself.
std::string RealmOf(const http::Response& response) {
  std::optional<Challenge> challenge = ChallengeOf(response);
  if (!challenge || challenge->scheme != "basic") return "";
  std::string realm = challenge->Parameter("realm").substr(0, kMaxReasonSize);
  return realm.empty() ? "" : Cat(": it wants a login to \"", Printable(realm), '"');
}

/// "900 s, until 14:05:00 UTC"; of a short wait the seconds alone.
std::string ShownWithEnd(std::chrono::seconds wait) {
  std::string shown = Cat(wait.count(), " s");
  if (wait < std::chrono::minutes(1)) return shown;
  const std::time_t end = ::time(nullptr) + wait.count();
  std::tm parts{};
  ::gmtime_r(&end, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%H:%M:%S", &parts);
  return Cat(shown, ", until ", text, " UTC");
}

/// ": DENIED: requested access to the resource is denied", or nothing.
std::string ReasonOf(const http::Response& response, const Proof& proof) {
  Result<Json> json = Json::Parse(response.body);
  if (!json) return "";
  Json errors = (*json)["errors"];
  std::string text;
  for (std::size_t i = 0; i < std::min(errors.size(), kMaxReasons); ++i) {
    for (std::string_view key : {"code", "message"}) {
      std::string part = errors[i][key].AsString().substr(0, kMaxReasonSize);
      if (!part.empty()) text += Cat(": ", part);
    }
  }
  auto echoes = [&](const Secret& secret) {
    return !secret.empty() && text.find(secret.Reveal()) != std::string::npos;
  };
  if (proof.bearer && echoes(*proof.bearer)) return "";
  if (proof.basic && echoes(proof.basic->second)) return "";
  return RedactUrls(Printable(text));
}

}  // namespace

bool IsFromRegistry(const http::Response& response) {
  for (const char* header :
       {"docker-distribution-api-version", "docker-content-digest", "docker-upload-uuid"}) {
    if (!response.Header(header).empty()) return true;
  }
  if (response.status >= 200 && response.status < 300) return !IsWebPage(response);
  if (response.status == 401 && ChallengeOf(response)) return true;
  return HasErrors(response.body);
}

std::string DescribeStranger(const http::Response& response) {
  std::string type = response.Header("content-type");
  std::string what = "without a word";
  if (IsWebPage(response)) {
    what = "with a web page";
  } else if (!type.empty() && !response.body.empty()) {
    what = Cat("with ", Printable(type.substr(0, kMaxReasonSize)));
  }
  return Cat("status ", response.status, ' ', what);
}

std::string StrangerHint() {
  return "a firewall, a proxy or a captive portal between this machine and it may have answered in "
         "its place: let it through, or set HTTPS_PROXY and NO_PROXY";
}

bool MayPass(const Result<http::Response>& outcome) {
  if (outcome) return IsTransient(outcome->status);
  ErrorCode code = outcome.error().code();
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout;
}

Result<http::Response> SendTo(http::HttpClient& client,
                              const http::Request& request,
                              const Cancel& cancel) {
  Result<http::Response> response = client.Send(request, cancel);
  if (response || response.error().code() != ErrorCode::kDenied) return response;
  const Error& error = response.error();
  std::string hint = error.hint();
  if (hint.find("plain HTTP") != std::string::npos) {
    hint = JoinHints(
        hint,
        "with registries, plain HTTP is spoken on this machine alone: put TLS in front of it, or "
        "forward a port of this machine to it (ssh -L) and name it as localhost:PORT; a push from "
        "a build may say --output type=image,push=true,registry.insecure=true");
  }
  return Fail(Error(ErrorCode::kFailed, error.message()).WithHint(std::move(hint)).At(error.at()));
}

std::string LoginCommand(const std::string& host) {
  return host == "registry-1.docker.io" ? "docker login" : Cat("docker login ", host);
}

Error Refusal(const http::Response& response, const Asked& asked) {
  int status = response.status;
  std::string registry = Cat("the registry ", asked.host);
  bool success = status >= 200 && status < 300;
  if ((status == 401 || status == 403 || success) && !IsFromRegistry(response)) {
    return Error(ErrorCode::kInvalid, Cat("what answers for ", registry,
                                          " is no registry: ", DescribeStranger(response)))
        .WithHint(StrangerHint());
  }
  std::string reason = ReasonOf(response, asked.proof);
  if (reason.empty() && status == 401) reason = RealmOf(response);
  std::string answer = Cat(": status ", status, reason);
  if (status == 401 || status == 403) {
    bool anonymous = asked.credentials.empty();
    std::string who =
        anonymous ? "an anonymous request" : Cat("the credentials of ", asked.credentials);
    return Error(ErrorCode::kDenied, Cat(registry, " refused ", who, answer))
        .WithHint(anonymous ? Cat("log in first: ", LoginCommand(asked.host),
                                  ", or set DOCKER_AUTH_CONFIG")
                            : "check that they are still valid and may do this here")
        .At(FailedAt::kAuthentication);
  }
  if (status == 404) return Error(ErrorCode::kNotFound, Cat(registry, " does not have it", answer));
  if (!IsTransient(status)) {
    return Error(ErrorCode::kFailed, Cat(registry, " refused it", answer));
  }
  Error error(ErrorCode::kUnavailable,
              Cat(registry, status == 429 ? " has too much to do" : " failed", answer));
  std::optional<std::chrono::seconds> wait = http::RetryAfter(response);
  if (!wait) return error;
  return std::move(error).WithHint(Cat("it asks to be left alone for ", ShownWithEnd(*wait)));
}

}  // namespace depot::registry
