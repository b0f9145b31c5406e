#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/registry/refusal.h"
#include "driver/registry/repository.h"
#include "tests/unit/http/certificates.h"
#include "tests/unit/registry/registry_server.h"

namespace depot::registry::push_check_test {
namespace {

using test::Connection;
using test::SeenRequest;
using Login = RegistryServer::Login;

std::unique_ptr<http::HttpClient> Client() {
  return http::MakeCurlClient("test/1", std::chrono::seconds(5), SystemRoots());
}

/// A user who wants to push.
class Pusher {
 public:
  explicit Pusher(std::optional<Credential> credential = UserAndPassword())
      : credentials_(std::move(credential)) {}

  Result<PushCheck> Check(const Reference& name) {
    return registries_->Open(name, Access::kPush)->CheckPush(Cancel::Never());
  }
  void Abandon(const Reference& name, const std::string& upload) {
    registries_->Open(name, Access::kDelete)->AbandonUpload(upload, Cancel::Never());
  }

 private:
  std::unique_ptr<http::HttpClient> client_ = Client();
  OneCredential credentials_;
  Keyring keyring_{credentials_, {}};
  std::unique_ptr<Registries> registries_ = MakeRegistries(*client_, keyring_, {});
};

Credential WrongPassword() {
  Credential wrong = UserAndPassword();
  wrong.password = Secret("not-the-passw0rd");
  return wrong;
}

RegistryServer::Fault Answers(int status, std::string body = "", std::string headers = "") {
  return [=](Connection& connection, const SeenRequest& request, int) {
    connection.Reply(request.method == "DELETE" ? 204 : status, body, headers);
    return true;
  };
}

std::string Located(const std::string& place) {
  return Cat("Location: ", place, "\r\n");
}

TEST(PushCheck, AllowedPushIsKnownAndItsUploadGivenBack) {
  for (Login login : {Login::kNone, Login::kBasic, Login::kBearer}) {
    RegistryServer server(login);
    const std::string path = "/v2/a/b/blobs/uploads/u1?_state=x";
    for (const std::string& place : {path, Cat("http://", server.host(), path)}) {
      server.set_fault(Answers(202, "", Located(place)));
      Pusher user;
      auto check = user.Check(server.Name("a/b"));
      ASSERT_TRUE(check) << check.error().message();
      EXPECT_FALSE(check->refusal);
      ASSERT_EQ(check->upload, "blobs/uploads/u1?_state=x");
      int before = server.Count(Cat("DELETE ", path));
      user.Abandon(server.Name("a/b"), check->upload);
      EXPECT_GT(server.Count(Cat("DELETE ", path)), before);
    }
    EXPECT_GE(server.Count("POST /v2/a/b/blobs/uploads/"), 2);
  }
}

TEST(PushCheck, UploadThatLiesElsewhereIsLeftAlone) {
  RegistryServer server;
  for (const char* place :
       {"http://127.0.0.1:1/v2/a/b/blobs/uploads/u1", "//127.0.0.1:1/v2/a/b/blobs/uploads/u1",
        "/v2/other/blobs/uploads/u1", "/v2/a/b/manifests/latest", "uploads/u1", "",
        "http://user@127.0.0.1/v2/a/b/blobs/uploads/u1", "/v2/a/b/blobs/uploads/u 1"}) {
    server.set_fault(Answers(202, "", Located(place)));
    auto check = Pusher().Check(server.Name("a/b"));
    ASSERT_TRUE(check) << place;
    EXPECT_FALSE(check->refusal) << place;
    EXPECT_EQ(check->upload, "") << place;
  }
}

TEST(PushCheck, RefusedCredentialsAreNamed) {
  RegistryServer server(Login::kBasic);
  auto check = Pusher(WrongPassword()).Check(server.Name("a/b"));
  ASSERT_TRUE(check) << check.error().message();
  ASSERT_TRUE(check->refusal);
  EXPECT_EQ(check->refusal->code(), ErrorCode::kDenied);
  EXPECT_NE(check->refusal->message().find("the credentials of config.json: status 401"),
            std::string::npos)
      << check->refusal->message();
  EXPECT_EQ(check->refusal->message().find("not-the-passw0rd"), std::string::npos);
}

TEST(PushCheck, WithoutCredentialsTheLoginIsNamed) {
  RegistryServer server(Login::kBasic);
  auto check = Pusher(std::nullopt).Check(server.Name("a/b"));
  ASSERT_TRUE(check && check->refusal);
  EXPECT_NE(check->refusal->hint().find(Cat("docker login ", server.host())), std::string::npos);
}

TEST(PushCheck, ForbiddenIsARefusal) {
  RegistryServer server(Login::kBasic);
  server.set_fault(Answers(403, R"({"errors":[{"code":"DENIED","message":"read only"}]})"));
  auto check = Pusher().Check(server.Name("a/b"));
  ASSERT_TRUE(check && check->refusal);
  EXPECT_NE(check->refusal->message().find("status 403: DENIED: read only"), std::string::npos);
}

TEST(PushCheck, RepositoryThatAPushDoesNotMakeIsARefusal) {
  RegistryServer server;
  for (auto [status, code] : {std::pair(404, "NAME_UNKNOWN"), std::pair(400, "NAME_INVALID")}) {
    server.set_fault(Answers(status, Cat(R"({"errors":[{"code":")", code, R"("}]})")));
    auto check = Pusher().Check(server.Name("a/b"));
    ASSERT_TRUE(check && check->refusal) << code;
    EXPECT_NE(check->refusal->message().find("there is no such repository"), std::string::npos);
  }
}

TEST(PushCheck, AnswersThatSayNothingAreErrorsAndAskedOnce) {
  for (int status : {307, 400, 404, 405, 429, 500, 502, 503}) {
    RegistryServer server;
    server.set_fault(Answers(status, "", "Retry-After: 0\r\nLocation: /v2/a/b/blobs/uploads/\r\n"));
    auto check = Pusher().Check(server.Name("a/b"));
    ASSERT_FALSE(check) << status;
    EXPECT_NE(check.error().message().find(Cat("status ", status)), std::string::npos);
    EXPECT_EQ(server.seen().size(), 1U) << status;
  }
}

constexpr const char* kWebPage = "Content-Type: text/html; charset=utf-8\r\n";

TEST(PushCheck, OnlyARegistrysOwnWordsAreARefusal) {
  RegistryServer server;
  struct {
    int status;
    std::string body;
    std::string headers;
    bool verdict;
  } const kAnswers[] = {
      {403, R"({"errors":[{"code":"DENIED"}]})", "", true},
      {403, "no", "Docker-Distribution-Api-Version: registry/2.0\r\n", true},
      {401, "", "WWW-Authenticate: Basic realm=\"Ours\"\r\n", true},
      {401, "", Cat("WWW-Authenticate: Basic realm=\"Ours\"\r\n", kWebPage), true},
      {403, "<html>blocked</html>", kWebPage, false},
      {401, "<html>blocked</html>", kWebPage, false},
      {401, "", "WWW-Authenticate: Negotiate\r\n", false},
      {401, "", "WWW-Authenticate: Bearer realm=\"staff\"\r\n", false},
      {403, "", "", false},
      {403, R"({"message":"Forbidden"})", "Content-Type: application/json\r\n", false},
      {403, R"({"errors":["blocked"]})", "", false},
      {403, R"({"errors":[{"code":403}]})", "", false},
      {407, "", "Proxy-Authenticate: Basic realm=\"p\"\r\n", false},
      {451, "<html>", kWebPage, false},
      {200, "<html>please log in</html>", kWebPage, false},
      {200, "", "", false},
      {302, "", "Location: http://portal.invalid/login\r\n", false},
  };
  for (const auto& one : kAnswers) {
    server.set_fault(Answers(one.status, one.body, one.headers));
    auto check = Pusher(std::nullopt).Check(server.Name("a/b"));
    std::string which = Cat(one.status, ' ', one.body, ' ', one.headers);
    ASSERT_EQ(check.has_value(), one.verdict) << which;
    if (check) {
      EXPECT_TRUE(check->refusal) << which;
    } else {
      const std::string& said = check.error().message();
      bool names = said.find(server.host()) != std::string::npos &&
                   said.find(Cat("status ", one.status)) != std::string::npos;
      EXPECT_TRUE(names || said.find("names the token server \"staff\"") != std::string::npos)
          << said;
    }
  }
}

TEST(PushCheck, FirewallGetsNoSecondPassword) {
  RegistryServer server(Login::kBasic);
  server.set_fault(Answers(403, "<html>blocked</html>", kWebPage));
  auto check = Pusher().Check(server.Name("a/b"));
  ASSERT_FALSE(check);
  EXPECT_EQ(server.Count("POST"), 2) << "without a password, and with the user's first";
}

TEST(PushCheck, TokenServerThatIsNoneHasRefusedNobody) {
  struct {
    int status;
    std::string body;
    std::string headers;
    bool verdict;
  } const kAnswers[] = {
      {403, R"({"details":"no such user"})", "", true},
      {401, "who?", "WWW-Authenticate: Basic realm=x\r\n", true},
      {403, "<html>blocked</html>", kWebPage, false},
      {401, "<html>blocked</html>", kWebPage, false},
      {200, "<html>please log in</html>", kWebPage, false},
      {302, "", "Location: http://portal.invalid/login\r\n", false},
      {400, "bad request", "", false},
  };
  for (const auto& one : kAnswers) {
    ::signal(SIGPIPE, SIG_IGN);
    test::TestServer tokens{test::TestServer::Always([&](Connection& connection, SeenRequest&) {
      connection.Reply(one.status, one.body, one.headers);
    })};
    RegistryServer server;
    server.set_fault(
        Answers(401, "", Cat("WWW-Authenticate: Bearer realm=\"", tokens.Url("/token"), "\"\r\n")));
    auto check = Pusher().Check(server.Name("a/b"));
    EXPECT_EQ(check.has_value(), one.verdict) << one.status << ' ' << one.body;
    if (check) {
      EXPECT_TRUE(check->refusal);
    } else {
      EXPECT_NE(check.error().message().find("the token server"), std::string::npos);
      EXPECT_NE(check.error().message().find(tokens.Url("/token")), std::string::npos);
    }
  }
}

TEST(PushCheck, NobodyThereIsAnError) {
  auto check = Pusher().Check({"127.0.0.1:1", "a/b", "latest", ""});
  ASSERT_FALSE(check);
  EXPECT_EQ(check.error().code(), ErrorCode::kUnavailable);
}

TEST(PushCheck, ServerThatIsNotTrustedHasRefusedNobody) {
  test::TestAuthority stranger;
  stranger.Issue("server", "IP:127.0.0.1");
  RegistryServer server(Login::kNone,
                        {stranger.path("server.pem"), stranger.path("server.key"), ""});
  auto client = Client();
  http::Request request;
  request.url = Cat("https://", server.host(), "/v2/");
  Result<http::Response> response = SendTo(*client, request, Cancel::Never());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), ErrorCode::kFailed);
  EXPECT_NE(response.error().message().find("TLS with"), std::string::npos);
  EXPECT_FALSE(response.error().hint().empty());
}

TEST(PushCheck, ARegistryInPlainHttpIsKnownByItsAnswer) {
  test::TestServer server{[](Connection& connection) {
    connection.Write("HTTP/1.0 400 Bad Request\r\n\r\nClient sent TLS");
  }};
  auto client = Client();
  http::Request request;
  request.url = Cat("https://127.0.0.1:", server.port(), "/v2/");
  Result<http::Response> response = SendTo(*client, request, Cancel::Never());
  ASSERT_FALSE(response);
  const std::string& hint = response.error().hint();
  EXPECT_TRUE(
      hint.starts_with("what listens there speaks no TLS: plain HTTP, or it is another "
                       "service; with registries, plain HTTP is spoken on this machine "
                       "alone: "))
      << hint;
  for (const char* way_out : {"TLS in front of it", "localhost:PORT", "registry.insecure=true"})
    EXPECT_NE(hint.find(way_out), std::string::npos) << hint;
}

}  // namespace
}  // namespace depot::registry::push_check_test
