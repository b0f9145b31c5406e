#include "driver/depot/oidc.h"

#include "driver/base/environment.h"
#include "driver/base/json.h"
#include "driver/base/text.h"
#include "driver/http/url.h"

namespace depot::api {
namespace {

constexpr std::string_view kAudience = "https://depot.dev";
constexpr std::chrono::seconds kPatience(30);
constexpr std::size_t kMaxTokenAnswer = 1 << 20;

/// A question to a CI service.
struct Question {
  std::string service;   ///< for people: "GitHub OIDC"
  std::string url_name;  ///< the variable that the URL comes from
  http::Request request;
  std::string key;  ///< of the JSON answer's token
};

Error Refused(const Question& question, std::string_view why) {
  return Error(ErrorCode::kFailed, Cat(question.service, " gives no token: ", why))
      .WithHint("set DEPOT_TOKEN to build without it");
}

Error Unaskable(const Question& question, std::string_view why) {
  return Refused(question, why).At(FailedAt::kSettings);
}

Result<std::optional<Token>> Ask(Question question,
                                 http::HttpClient& client,
                                 const Cancel& cancel) {
  const auto url = http::ParseUrl(question.request.url);
  if (!url) return Fail(Unaskable(question, Cat(question.url_name, ' ', url.error().message())));
  const bool here = http::IsLoopback(http::HostName(url->authority));
  if (!http::IsSafe(*url)) {
    return Fail(Unaskable(question, Cat(question.url_name, " is not encrypted")));
  }
  question.request.transport.use_proxy = !here;
  question.request.max_body = kMaxTokenAnswer;
  const Cancel bounded =
      cancel.WithTimeout(kPatience, Cat("no answer within ", kPatience.count(), " s"));
  Result<http::Response> answer = client.Send(question.request, bounded);
  TRY(cancel.Check());
  if (!answer) return Fail(Refused(question, answer.error().message()));
  if (answer->status < 200 || answer->status > 299) {
    return Fail(Refused(question, Cat("status ", answer->status)));
  }
  const Result<Json> json = Json::Parse(answer->body);
  const std::string token = json ? (*json)[question.key].AsString() : "";
  if (token.empty()) return Fail(Refused(question, "its answer holds none"));
  return Token{Secret(token), question.service};
}

/// docs.github.com, "OpenID Connect reference", requesting the JWT.
Result<std::optional<Token>> AskGitHub(const Environment& environment,
                                       http::HttpClient& client,
                                       const Cancel& cancel) {
  const std::string token = TrimmedVariable(environment, "ACTIONS_ID_TOKEN_REQUEST_TOKEN");
  std::string url = TrimmedVariable(environment, "ACTIONS_ID_TOKEN_REQUEST_URL");
  if (token.empty() || url.empty()) return std::optional<Token>();
  url +=
      Cat(url.find('?') == std::string::npos ? '?' : '&', "audience=", http::UrlEncode(kAudience));
  Question question{"GitHub OIDC", "ACTIONS_ID_TOKEN_REQUEST_URL", {}, "value"};
  question.request.url = std::move(url);
  question.request.secret_headers = {{"Authorization", Secret(Cat("bearer ", token))}};
  return Ask(std::move(question), client, cancel);
}

/// buildkite/agent api/oidc.go.
Result<std::optional<Token>> AskBuildkite(const Environment& environment,
                                          http::HttpClient& client,
                                          const Cancel& cancel) {
  const std::string token = TrimmedVariable(environment, "BUILDKITE_AGENT_ACCESS_TOKEN");
  if (token.empty()) return std::optional<Token>();
  std::string base = TrimmedVariable(environment, "BUILDKITE_AGENT_ENDPOINT");
  if (base.empty()) base = "https://agent.buildkite.com/v3";
  while (base.ends_with('/'))
    base.pop_back();
  Question question{"Buildkite OIDC", "BUILDKITE_AGENT_ENDPOINT", {}, "token"};
  const std::string job = TrimmedVariable(environment, "BUILDKITE_JOB_ID");
  if (job.empty()) return Fail(Unaskable(question, "BUILDKITE_JOB_ID is not set"));
  Json body;
  body.Set("audience", Json::String(kAudience));
  question.request.method = "POST";
  question.request.url = Cat(base, "/jobs/", http::UrlEncode(job), "/oidc/tokens");
  question.request.headers = {{"Content-Type", "application/json"}};
  question.request.secret_headers = {{"Authorization", Secret(Cat("Token ", token))}};
  question.request.body = Secret(body.Dump());
  return Ask(std::move(question), client, cancel);
}

}  // namespace

Result<std::optional<Token>> FindOidcToken(const Environment& environment,
                                           http::HttpClient& client,
                                           const Cancel& cancel) {
  TRY_ASSIGN(auto github, AskGitHub(environment, client, cancel));
  if (github) return github;
  const std::string gitlab = TrimmedVariable(environment, "DEPOT_OIDC_TOKEN");
  if (!gitlab.empty() && !TrimmedVariable(environment, "GITLAB_CI").empty()) {
    return Token{Secret(gitlab), "DEPOT_OIDC_TOKEN (GitLab OIDC)"};
  }
  const std::string circle = TrimmedVariable(environment, "CIRCLE_OIDC_TOKEN_V2");
  if (!circle.empty()) return Token{Secret(circle), "CIRCLE_OIDC_TOKEN_V2 (CircleCI OIDC)"};
  return AskBuildkite(environment, client, cancel);
}

}  // namespace depot::api
