#include "driver/registry/token.h"

#include <csignal>

#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/text.h"
#include "tests/unit/http/test_server.h"

namespace depot::registry::token_test {
namespace {

using test::Connection;
using test::SeenRequest;
using test::TestServer;

constexpr std::string_view kSecret = "hunter2-s3cr3t";

/// A token server that keeps what it was asked and answers with what the test set.
class TokenTest : public testing::Test {
 protected:
  TokenTest() { ::signal(SIGPIPE, SIG_IGN); }

  struct Answer {
    int status;
    std::string body;
  };

  Result<Token> Fetch(const std::optional<Credential>& credential, std::string path = "/token") {
    TokenRequest request{
        server_.Url(path), "registry.test", {"repository:a/b:pull,push", "aws"}, "buildkit-client"};
    Result<Token> token = FetchToken(*client_, request, credential, Cancel::Never());
    if (!token) {
      EXPECT_EQ(token.error().message().find(kSecret), std::string::npos) << "a secret leaked";
      EXPECT_EQ(token.error().hint().find(kSecret), std::string::npos) << "a secret leaked";
    }
    return token;
  }

  static Credential Password() { return {"user", Secret(std::string(kSecret)), {}, {}, "test"}; }
  static Credential Refresh() { return {"", {}, Secret(std::string(kSecret)), {}, "test"}; }

  Answer post_{200, R"({"access_token":"from-post"})"};
  Answer get_{200, R"({"token":"from-get"})"};
  std::vector<SeenRequest> seen_;
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("test/1", std::chrono::seconds(5), SystemRoots());
  TestServer server_{TestServer::Always([this](Connection& connection, SeenRequest& request) {
    seen_.push_back(request);
    const Answer& answer = request.method == "POST" ? post_ : get_;
    connection.Reply(answer.status, answer.body);
  })};
};

TEST_F(TokenTest, AnonymousAsksByGetWithoutAuthorization) {
  Result<Token> token = Fetch(std::nullopt);
  ASSERT_TRUE(token) << token.error().message();
  EXPECT_EQ(token->token.Reveal(), "from-get");
  EXPECT_EQ(token->expires_in, 60);
  EXPECT_EQ(token->issued_at, 0);
  ASSERT_EQ(seen_.size(), 1U);
  EXPECT_EQ(seen_[0].method, "GET");
  EXPECT_EQ(seen_[0].target,
            "/token?service=registry.test&scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=aws");
  EXPECT_EQ(seen_[0].headers.count("authorization"), 0U);
}

TEST_F(TokenTest, QueryOfTheRealmIsKept) {
  ASSERT_TRUE(Fetch(std::nullopt, "/token?x=1"));
  EXPECT_TRUE(seen_[0].target.starts_with("/token?x=1&service=registry.test&scope="));
}

TEST_F(TokenTest, PasswordTravelsInTheFormOfAPost) {
  post_.body =
      R"({"access_token":"T","expires_in":300,"issued_at":"2024-02-29T12:00:00.123456789Z"})";
  Result<Token> token = Fetch(Password());
  ASSERT_TRUE(token) << token.error().message();
  EXPECT_EQ(token->token.Reveal(), "T");
  EXPECT_EQ(token->expires_in, 300);
  EXPECT_EQ(token->issued_at, 1709208000);
  ASSERT_EQ(seen_.size(), 1U);
  EXPECT_EQ(seen_[0].target, "/token");
  EXPECT_EQ(seen_[0].body,
            Cat("scope=repository%3Aa%2Fb%3Apull%2Cpush+aws&service=registry.test&client_id="
                "buildkit-client&grant_type=password&username=user&password=",
                kSecret));
  EXPECT_TRUE(seen_[0].headers["content-type"].starts_with("application/x-www-form-urlencoded"));
}

TEST_F(TokenTest, RefreshTokenTravelsAsSuch) {
  ASSERT_TRUE(Fetch(Refresh()));
  EXPECT_NE(seen_[0].body.find(Cat("grant_type=refresh_token&refresh_token=", kSecret)),
            std::string::npos);
  EXPECT_EQ(seen_[0].body.find("username"), std::string::npos);
}

TEST_F(TokenTest, RegistryTokenNeedsNoServer) {
  Credential credential;
  credential.registry_token = Secret("ready");
  Result<Token> token = Fetch(credential);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->token.Reveal(), "ready");
  EXPECT_TRUE(seen_.empty());
}

TEST_F(TokenTest, FallsBackToGetWhereThePostIsUnknown) {
  for (int status : {401, 404, 405}) {
    seen_.clear();
    post_ = {status, "no such route"};
    Result<Token> token = Fetch(Password());
    ASSERT_TRUE(token) << status;
    EXPECT_EQ(token->token.Reveal(), "from-get");
    ASSERT_EQ(seen_.size(), 2U);
    EXPECT_EQ(seen_[1].headers["authorization"], Cat("Basic ", Base64(Cat("user:", kSecret))));
  }
}

TEST_F(TokenTest, MethodNotAllowedIsFinalForARefreshToken) {
  post_ = {405, ""};
  Result<Token> token = Fetch(Refresh());
  ASSERT_FALSE(token);
  EXPECT_EQ(seen_.size(), 1U);
  EXPECT_NE(token.error().message().find("status 405"), std::string::npos);
}

TEST_F(TokenTest, RefusalsNameRealmSourceStatusAndReason) {
  post_ = {401, ""};
  get_ = {401, R"({"details":"incorrect username or password"})"};
  Result<Token> token = Fetch(Password());
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code(), ErrorCode::kDenied);
  EXPECT_EQ(token.error().message(),
            Cat("the token server ", server_.Url("/token"),
                " refused the credentials of test: status 401: incorrect username or password"));
  EXPECT_FALSE(token.error().hint().empty());
}

TEST_F(TokenTest, ServerThatEchoesTheSecretIsNotQuoted) {
  for (std::string_view key : {"details", "message", "error_description"}) {
    Json json;
    json.Set(key, Json::String(Cat("wrong password ", kSecret)));
    post_ = {403, json.Dump()};
    EXPECT_FALSE(Fetch(Password()));
    EXPECT_FALSE(Fetch(Refresh()));
  }
}

TEST_F(TokenTest, ALifeBeyondAllClocksIsALongOne) {
  for (std::string_view life : {"9223372036854775807", "18446744073709551615", "1e300"}) {
    get_.body = Cat(R"({"token":"T","expires_in":)", life, "}");
    Result<Token> token = Fetch(std::nullopt);
    ASSERT_TRUE(token) << token.error().message();
    EXPECT_GE(token->expires_in, 60);
    EXPECT_LE(token->expires_in, 10LL * 366 * 24 * 3600);
  }
}

TEST_F(TokenTest, ServerErrorsAreUnavailableAndOddAnswersInvalid) {
  get_ = {429, R"({"details":"too many requests"})"};
  Error busy = Fetch(std::nullopt).error();
  EXPECT_EQ(busy.code(), ErrorCode::kUnavailable);
  EXPECT_EQ(busy.hint(), "");
  get_ = {503, "<html>"};
  EXPECT_EQ(Fetch(std::nullopt).error().code(), ErrorCode::kUnavailable);
  for (std::string_view body : {"", "{}", "[]", "null", "not json", R"({"token":7})"}) {
    get_ = {200, std::string(body)};
    Result<Token> token = Fetch(std::nullopt);
    ASSERT_FALSE(token) << body;
    EXPECT_EQ(token.error().code(), ErrorCode::kInvalid);
  }
  get_ = {302, ""};
  EXPECT_FALSE(Fetch(std::nullopt)) << "a redirect could lead anywhere";
}

TEST_F(TokenTest, IssueTimesOfAllZonesAreUnderstood) {
  for (auto [text, seconds] :
       std::vector<std::pair<std::string, std::int64_t>>{{"1970-01-02T00:00:00Z", 86400},
                                                         {"1970-01-02T02:30:00+02:30", 86400},
                                                         {"1970-01-01T23:00:00.5-01:00", 86400},
                                                         {"yesterday", 0},
                                                         {"1970-01-02T00:00:00", 0},
                                                         {"1970-01-02T00:00:00+xx:00", 0}}) {
    get_.body = Cat(R"({"token":"t","issued_at":")", text, R"("})");
    EXPECT_EQ(Fetch(std::nullopt)->issued_at, seconds) << text;
  }
}

TEST_F(TokenTest, SilentServerIsLeftWhenCancelled) {
  TestServer silent([](Connection& connection) { connection.StaySilent(); });
  auto start = std::chrono::steady_clock::now();
  Result<Token> token =
      FetchToken(*client_, {silent.Url(), "", {}, ""}, std::nullopt,
                 Cancel::Never().WithTimeout(std::chrono::milliseconds(100), "the test"));
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code(), ErrorCode::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(400));
}

class UnusedClient final : public http::HttpClient {
 public:
  Result<http::Response> Send(const http::Request& request, const Cancel&) override {
    ADD_FAILURE() << "sent to " << request.url;
    return Fail(ErrorCode::kInternal, "sent");
  }
};

class RealmTest : public TokenTest, public testing::WithParamInterface<std::string> {};

TEST_P(RealmTest, IsRefusedBeforeAnythingIsSent) {
  UnusedClient none;
  Result<Token> token = FetchToken(none, {GetParam(), "", {}, ""}, Password(), Cancel::Never());
  ASSERT_FALSE(token);
  EXPECT_TRUE(token.error().code() == ErrorCode::kInvalid ||
              token.error().code() == ErrorCode::kDenied);
  EXPECT_EQ(token.error().message().find(kSecret), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Refused,
                         RealmTest,
                         testing::Values("",
                                         "ftp://127.0.0.1/token",
                                         "file:///etc/passwd",
                                         "//host/token",
                                         "token",
                                         "https://",
                                         "https:///token",
                                         "http://auth.example.com/token",
                                         "http://auth.example.com:80/token",
                                         "http://127.0.0.1.example.com/",
                                         "http://127.0.0.1@example.com/",
                                         "http://example.com\\@127.0.0.1/",
                                         "http://127.0.0.1#@example.com/",
                                         "http://127.0.0.1 .example.com/",
                                         "http://localhost.example.com/",
                                         "http://[2001:db8::1]/",
                                         "http://10.0.0.1/",
                                         "https://user:hunter2-s3cr3t@auth.example.com/",
                                         "https://a\r\nHost: b/"));

TEST_F(TokenTest, PlainHttpIsFineWithoutACredentialAndOnThisMachine) {
  // The port is closed, so that reaching it is the proof that it was tried.
  Result<Token> anonymous = FetchToken(*client_, {"http://127.0.0.1:1/t?secret=x", "", {}, ""},
                                       std::nullopt, Cancel::Never());
  EXPECT_EQ(anonymous.error().message(),
            "cannot reach the token server http://127.0.0.1:1/t: connection refused");
  Result<Token> local =
      FetchToken(*client_, {"HTTP://[::1]:1", "", {}, ""}, Password(), Cancel::Never());
  EXPECT_EQ(local.error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace depot::registry::token_test
