#include "driver/registry/token.h"

#include <algorithm>
#include <cstring>
#include <ctime>

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/http/retry_after.h"
#include "driver/http/url.h"
#include "driver/registry/attempts.h"
#include "driver/registry/refusal.h"

namespace depot::registry {
namespace {

constexpr std::chrono::seconds kTokenPatience(60);
constexpr std::int64_t kDefaultLifetime = 60;
/// Ten years: it is added to clocks.
constexpr std::int64_t kLongestLifetime = 10LL * 365 * 24 * 3600;
constexpr std::size_t kMaxAnswer = 1 << 20;

struct Realm {
  std::string url;
  std::string shown;  ///< without the query
  bool encrypted = false;
  bool loopback = false;
};

Result<Realm> ParseRealm(const std::string& url) {
  Realm realm{url, RedactUrls(Printable(url.substr(0, url.find_first_of("?#")))), false, false};
  Result<http::Url> parts = http::ParseUrl(url);
  if (!parts) {
    return Fail(ErrorCode::kInvalid, Cat("the registry names the token server \"", realm.shown,
                                         "\", which ", parts.error().message()));
  }
  realm.encrypted = parts->encrypted;
  realm.loopback = http::IsLoopback(http::HostName(parts->authority));
  return realm;
}

/// Seconds since 1970 of an RFC 3339 time; 0 when it is none.
std::int64_t ParseTime(const std::string& text) {
  std::tm time{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  if (rest == nullptr) return 0;
  if (*rest == '.') rest += 1 + std::strspn(rest + 1, "0123456789");
  std::int64_t seconds = ::timegm(&time);
  if (std::strcmp(rest, "Z") == 0 || std::strcmp(rest, "z") == 0) return seconds;
  std::string_view zone(rest);
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return 0;
  auto hours = ParseDecimal(zone.substr(1, 2));
  auto minutes = ParseDecimal(zone.substr(4, 2));
  if (!hours || !minutes) return 0;
  auto offset = static_cast<std::int64_t>(*hours * 3600 + *minutes * 60);
  return zone[0] == '+' ? seconds - offset : seconds + offset;
}

/// One token server, asked on behalf of one user.
class TokenServer {
 public:
  TokenServer(http::HttpClient& client,
              Realm realm,
              const TokenRequest& request,
              const std::optional<Credential>& credential)
      : client_(client), realm_(std::move(realm)), request_(request), credential_(credential) {}

  /// What the last answer asked for; nullopt: it was none that did.
  std::optional<std::chrono::seconds> asked_to_wait() const { return asked_to_wait_; }

  Result<Token> Fetch(const Cancel& cancel) {
    if (!credential_) return Get(cancel);
    TRY_ASSIGN(http::Response response, Post(cancel));
    // Many token servers know only GET: 404 is what a missing route gives, 401 what JFrog's gives.
    bool post_unknown = response.status == 404 || response.status == 401 ||
                        (response.status == 405 && !credential_->username.empty());
    if (post_unknown) return Get(cancel);
    return Read(response, {"access_token"});
  }

 private:
  std::string_view SecretOf() const {
    return credential_->identity_token.empty() ? credential_->password.Reveal()
                                               : credential_->identity_token.Reveal();
  }

  http::Request NewRequest() const {
    http::Request out;
    out.max_body = kMaxAnswer;
    // A proxy would see what is meant for this machine.
    out.transport.use_proxy = !realm_.loopback;
    out.peer = Cat("the token server ", realm_.shown);
    return out;
  }

  Result<http::Response> Post(const Cancel& cancel) {
    std::vector<std::pair<std::string, std::string>> form = {{"scope", Join(request_.scopes, " ")},
                                                             {"service", request_.service},
                                                             {"client_id", request_.client_id}};
    if (credential_->identity_token.empty()) {
      form.emplace_back("grant_type", "password");
      form.emplace_back("username", credential_->username);
      form.emplace_back("password", SecretOf());
    } else {
      form.emplace_back("grant_type", "refresh_token");
      form.emplace_back("refresh_token", SecretOf());
    }
    http::Request request = NewRequest();
    request.method = "POST";
    request.url = realm_.url;
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
    request.body = Secret(http::FormEncode(form));
    return SendTo(client_, request, cancel);
  }

  Result<Token> Get(const Cancel& cancel) {
    http::Request request = NewRequest();
    std::string query;
    if (!request_.service.empty()) query = Cat("&service=", http::UrlEncode(request_.service));
    for (const std::string& scope : request_.scopes) {
      query += Cat("&scope=", http::UrlEncode(scope));
    }
    if (!query.empty() && realm_.url.find('?') == std::string::npos) query[0] = '?';
    request.url = realm_.url + query;
    if (credential_) {
      request.basic_auth = {credential_->username, Secret(std::string(SecretOf()))};
    }
    TRY_ASSIGN(http::Response response, SendTo(client_, request, cancel));
    return Read(response, {"token", "access_token"});
  }

  Result<Token> Read(const http::Response& response, const std::vector<std::string>& names) {
    if (response.status < 200 || response.status >= 300) return Fail(Refusal(response));
    Result<Json> json = Json::Parse(response.body);
    Token token;
    if (json) {
      for (const std::string& name : names) {
        if (token.token.empty()) token.token = Secret((*json)[name].AsString());
      }
    }
    if (!json || !json->is_object()) return Fail(Stranger(response));
    if (token.token.empty()) {
      return Fail(ErrorCode::kInvalid,
                  Cat("the token server ", realm_.shown, " answered without a token"));
    }
    token.expires_in = (*json)["expires_in"].AsInt();
    if (token.expires_in <= 0) token.expires_in = kDefaultLifetime;
    token.expires_in = std::min(token.expires_in, kLongestLifetime);
    token.issued_at = ParseTime((*json)["issued_at"].AsString());
    return token;
  }

  /// Token servers answer in JSON, or ask for a login; a firewall or a captive portal does not.
  static bool IsFromTokenServer(const http::Response& response) {
    bool asks = response.status == 401 && !response.Header("www-authenticate").empty();
    Result<Json> json = Json::Parse(response.body);
    return asks || IsFromRegistry(response) || (json && json->is_object());
  }

  Error Stranger(const http::Response& response) const {
    return Error(ErrorCode::kInvalid, Cat("what answers for the token server ", realm_.shown,
                                          " is no token server: ", DescribeStranger(response)))
        .WithHint(StrangerHint());
  }

  Error Refusal(const http::Response& response) {
    bool busy = response.status == 429 || response.status >= 500;
    if (!busy && !IsFromTokenServer(response)) return Stranger(response);
    std::string what = Cat("the token server ", realm_.shown);
    if (!credential_) {
      what += " refused an anonymous token";
    } else if (response.status == 400 || response.status == 401 || response.status == 403) {
      what += Cat(" refused the credentials of ", credential_->source);
    } else {
      what += " failed";
    }
    what += Cat(": status ", response.status);
    std::string why = Explanation(response.body);
    if (!why.empty()) what += Cat(": ", why);
    if (busy) asked_to_wait_ = http::RetryAfter(response);
    if (busy) return Error(ErrorCode::kUnavailable, what);
    return Error(ErrorCode::kDenied, what)
        .WithHint(credential_ ? "check that they are still valid and may read or push this image"
                              : "log in first: docker login, or DOCKER_AUTH_CONFIG")
        .At(FailedAt::kAuthentication);
  }

  /// What the server says about itself; nothing when that repeats the secret.
  std::string Explanation(std::string_view body) const {
    Result<Json> json = Json::Parse(body);
    if (!json) return "";
    std::string text = (*json)["errors"][0]["message"].AsString();
    for (std::string_view key : {"error_description", "details", "message", "error"}) {
      if (text.empty()) text = (*json)[key].AsString();
    }
    bool leaks = credential_ && !SecretOf().empty() && text.find(SecretOf()) != std::string::npos;
    return leaks ? "" : RedactUrls(Printable(text.substr(0, 300)));
  }

  http::HttpClient& client_;
  Realm realm_;
  const TokenRequest& request_;
  const std::optional<Credential>& credential_;
  std::optional<std::chrono::seconds> asked_to_wait_;
};

Result<Token> FetchOnce(http::HttpClient& client,
                        const TokenRequest& request,
                        const std::optional<Credential>& credential,
                        std::optional<std::chrono::seconds>& asked_to_wait,
                        const Cancel& cancel) {
  if (credential && !credential->registry_token.empty()) {
    return Token{credential->registry_token, kDefaultLifetime, 0};
  }
  TRY_ASSIGN(Realm realm, ParseRealm(request.realm));
  if (credential && !realm.encrypted && !realm.loopback) {
    return Fail(Error(ErrorCode::kDenied, Cat("the credentials of ", credential->source,
                                              " are not sent to the token server ", realm.shown,
                                              ": it is not encrypted"))
                    .WithHint("the registry must name an https token server"));
  }
  std::string what = Cat("the token server ", realm.shown, " gave no token in 60 s");
  TokenServer server(client, std::move(realm), request, credential);
  Result<Token> token = server.Fetch(cancel.WithTimeout(kTokenPatience, what));
  asked_to_wait = server.asked_to_wait();
  return token;
}

}  // namespace

Result<Token> FetchToken(http::HttpClient& client,
                         const TokenRequest& request,
                         const std::optional<Credential>& credential,
                         const Cancel& cancel) {
  std::optional<std::chrono::seconds> asked_to_wait;
  return FetchOnce(client, request, credential, asked_to_wait, cancel);
}

Result<Token> FetchTokenPatiently(http::HttpClient& client,
                                  const TokenRequest& request,
                                  const std::optional<Credential>& credential,
                                  const std::function<void(std::string)>& say,
                                  const Cancel& cancel) {
  Attempts attempts;
  for (;;) {
    std::optional<std::chrono::seconds> asked;
    Result<Token> token = FetchOnce(client, request, credential, asked, cancel);
    if (token || cancel.cancelled()) return token;
    const ErrorCode code = token.error().code();
    const bool may_pass = code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout;
    const auto pause = may_pass ? attempts.Next(asked) : std::nullopt;
    if (!pause) return token;
    say(Cat(token.error().message(), "; ", attempts.Shown(*pause)));
    if (!cancel.SleepFor(*pause)) return Fail(cancel.error());
  }
}

}  // namespace depot::registry
