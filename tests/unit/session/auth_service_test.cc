#include <algorithm>
#include <atomic>

#include <gtest/gtest.h>

#include "memory_call.h"
#include "proto/session.pb.h"
#include "recording_sink.h"

#include "driver/base/text.h"
#include "driver/session/services.h"

namespace depot::session::auth_service_test {
namespace {

const std::string kAuth = "/moby.filesync.v1.Auth/";

class FixedCredentials final : public registry::CredentialSource {
 public:
  Result<std::optional<registry::Credential>> Lookup(const std::string& host,
                                                     const std::string&,
                                                     int nth,
                                                     const Cancel&) override {
    if (host == "broken.example") {
      return Fail(ErrorCode::kFailed, "docker-credential-x: not logged in to the keychain");
    }
    auto found = known.find(host);
    if (found != known.end() && nth == 0) return found->second;
    found = second.find(host);
    if (found == second.end() || nth != 1) return std::nullopt;
    return found->second;
  }

  std::map<std::string, registry::Credential> known;
  std::map<std::string, registry::Credential> second;
};

/// A token server that hands out numbered tokens, slowly when asked to.
class TokenServer final : public http::HttpClient {
 public:
  Result<http::Response> Send(const http::Request& request, const Cancel& cancel) override {
    int number = ++requests;
    if (slow) cancel.SleepFor(std::chrono::milliseconds(50));
    http::Response response;
    response.status = status;
    if (number <= busy) {
      response.status = 503;
      response.headers = {{"retry-after", "0"}};
      return response;
    }
    if (!refused.empty() && request.body.Reveal().find(refused) != std::string_view::npos) {
      response.status = 403;
    }
    response.body = Cat(R"({"token":"token-)", number, R"(","access_token":"token-)", number,
                        R"(","expires_in":)", expires_in, "}");
    last_url = request.url;
    return response;
  }

  std::atomic<int> requests{0};
  std::atomic<bool> slow{false};
  int status = 200;
  int busy = 0;         ///< so many answer so, first
  std::string refused;  ///< who sends this is refused
  int expires_in = 300;
  std::string last_url;
};

class AuthService : public ::testing::Test {
 protected:
  AuthService() { AddAuth(table_, MakeAuth(keyring_, server_, sink_)); }

  template <typename Response, typename Request>
  rpc::Status Call(const std::string& method, const Request& request, Response& response) {
    std::string wire;
    rpc::Status status = Ask(table_, kAuth + method, request.SerializeAsString(), wire);
    EXPECT_TRUE(response.ParseFromString(wire));
    return status;
  }

  CredentialsResponse Credentials(const std::string& host) {
    CredentialsRequest request;
    request.set_host(host);
    CredentialsResponse response;
    EXPECT_TRUE(Call("Credentials", request, response).ok());
    return response;
  }

  rpc::Status Token(const std::string& scope, FetchTokenResponse& response) {
    FetchTokenRequest request;
    request.set_client_id("buildkit-client");
    request.set_host("registry.example");
    request.set_realm("https://auth.example/token");
    request.set_service("registry.example");
    request.add_scopes(scope);
    return Call("FetchToken", request, response);
  }

  std::string PublicKey(const std::string& host, const std::string& salt) {
    GetTokenAuthorityRequest request;
    request.set_host(host);
    request.set_salt(salt);
    GetTokenAuthorityResponse response;
    EXPECT_TRUE(Call("GetTokenAuthority", request, response).ok());
    return response.public_key();
  }

  FixedCredentials credentials_;
  registry::Keyring keyring_{credentials_, {}};
  TokenServer server_;
  RecordingSink sink_;
  rpc::ServiceTable table_;
};

TEST_F(AuthService, GivesUserAndPasswordAndSaysItOnce) {
  credentials_.known["r.example"] = {"user", Secret("password"), {}, {}, "test"};
  EXPECT_EQ(Credentials("r.example").username(), "user");
  EXPECT_EQ(Credentials("r.example").secret(), "password");
  EXPECT_EQ(sink_.steps(), std::vector<std::string>{"[auth] sharing credentials for r.example"});
}

TEST_F(AuthService, GivesAnIdentityTokenWithoutUserName) {
  credentials_.known["r.example"] = {"user", {}, Secret("refresh"), {}, "test"};
  EXPECT_EQ(Credentials("r.example").username(), "");
  EXPECT_EQ(Credentials("r.example").secret(), "refresh");
}

TEST_F(AuthService, AnswersEmptyForAnUnknownHost) {
  EXPECT_EQ(Credentials("unknown.example").username(), "");
  EXPECT_EQ(Credentials("unknown.example").secret(), "");
  EXPECT_TRUE(sink_.steps().empty());
}

TEST_F(AuthService, PassesAHelpersFailureOn) {
  CredentialsRequest request;
  request.set_host("broken.example");
  CredentialsResponse response;
  rpc::Status status = Call("Credentials", request, response);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message.find("keychain"), std::string::npos);
}

TEST_F(AuthService, FetchesATokenAndShowsAStep) {
  FetchTokenResponse response;
  ASSERT_TRUE(Token("repository:library/busybox:pull", response).ok());
  EXPECT_EQ(response.token(), "token-1");
  EXPECT_EQ(response.expires_in(), 300);
  EXPECT_NE(server_.last_url.find("https://auth.example/token"), std::string::npos);
  EXPECT_EQ(sink_.steps(),
            std::vector<std::string>{"[auth] library/busybox:pull token for registry.example"});
}

TEST_F(AuthService, ShowsATokenThatSomebodyElseHasFetched) {
  registry::TokenRequest wanted{
      "https://auth.example/token", "registry.example", {"repository:a:pull"}, ""};
  registry::Need need = registry::NeedOf("registry.example", wanted.scopes);
  auto fetch = [](const std::optional<registry::Credential>&) -> Result<registry::Token> {
    return registry::Token{Secret("token-0"), 300, 0};
  };
  ASSERT_TRUE(keyring_.GetToken(need, wanted, {}, fetch, Cancel::Never()));
  FetchTokenResponse response;
  ASSERT_TRUE(Token("repository:a:pull", response).ok());
  ASSERT_TRUE(Token("repository:a:pull", response).ok());
  EXPECT_EQ(response.token(), "token-0");
  EXPECT_EQ(sink_.steps(), std::vector<std::string>{"[auth] a:pull token for registry.example"});
}

TEST_F(AuthService, KeepsATokenUntilItExpires) {
  FetchTokenResponse response;
  ASSERT_TRUE(Token("repository:a:pull", response).ok());
  ASSERT_TRUE(Token("repository:a:pull", response).ok());
  EXPECT_EQ(response.token(), "token-1");
  ASSERT_TRUE(Token("repository:b:pull", response).ok());
  EXPECT_EQ(response.token(), "token-2");
  server_.expires_in = 5;
  ASSERT_TRUE(Token("repository:c:pull", response).ok());
  ASSERT_TRUE(Token("repository:c:pull", response).ok());
  EXPECT_EQ(response.token(), "token-4");
}

TEST_F(AuthService, AsksTheTokenServerOnceForManyCallers) {
  server_.slow = true;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([this] {
      FetchTokenResponse response;
      EXPECT_TRUE(Token("repository:a:pull", response).ok());
      EXPECT_EQ(response.token(), "token-1");
    });
  }
  for (std::thread& caller : callers)
    caller.join();
  EXPECT_EQ(server_.requests, 1);
}

TEST_F(AuthService, DoesNotKeepAFailure) {
  FetchTokenResponse response;
  server_.status = 400;
  EXPECT_FALSE(Token("repository:a:pull", response).ok());
  server_.status = 200;
  EXPECT_TRUE(Token("repository:a:pull", response).ok());
}

TEST_F(AuthService, AsksABusyTokenServerAgainAndSaysSo) {
  server_.busy = 2;
  FetchTokenResponse response;
  EXPECT_TRUE(Token("repository:a:pull", response).ok());
  EXPECT_EQ(server_.requests, 3);
  const std::vector<std::string> logs = sink_.logs();
  ASSERT_EQ(logs.size(), 2U);
  EXPECT_NE(logs[0].find("status 503; trying again in 0.0 s (attempt 2 of 4)"), std::string::npos)
      << logs[0];
}

TEST_F(AuthService, RefusesARealmThatIsNoWebAddress) {
  FetchTokenRequest request;
  request.set_host("registry.example");
  request.set_realm("file:///etc/passwd");
  FetchTokenResponse response;
  EXPECT_FALSE(Call("FetchToken", request, response).ok());
  EXPECT_EQ(server_.requests, 0);
}

TEST_F(AuthService, TakesTheNextCredentialWhenTheTokenServerRefusesOne) {
  credentials_.known["registry.example"] = {"one", Secret("first-secret"), {}, {}, "one"};
  credentials_.second["registry.example"] = {"two", Secret("second-secret"), {}, {}, "two"};
  server_.refused = "first-secret";
  FetchTokenResponse response;
  ASSERT_TRUE(Token("repository:a:pull", response).ok());
  EXPECT_EQ(response.token(), "token-2");
  EXPECT_EQ(sink_.steps(), std::vector<std::string>{"[auth] a:pull token for registry.example"});

  server_.refused = "secret";
  rpc::Status status = Token("repository:b:pull", response);
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message.find("refused the credentials of one and of two"), std::string::npos)
      << status.message;
}

TEST_F(AuthService, GivesTheCredentialThatWasFoundGoodForPushing) {
  credentials_.known["r.example"] = {"reader", Secret("a"), {}, {}, "one"};
  credentials_.second["r.example"] = {"pusher", Secret("b"), {}, {}, "two"};
  EXPECT_EQ(Credentials("r.example").username(), "reader");
  registry::Need need{"r.example", "a/b", true};
  registry::Attempt attempt;
  EXPECT_TRUE(keyring_.Next(need, attempt, Cancel::Never()));
  EXPECT_TRUE(keyring_.Next(need, attempt, Cancel::Never()));
  keyring_.Accepted(need, attempt, true);
  EXPECT_EQ(Credentials("r.example").username(), "pusher");
}

TEST_F(AuthService, TellsTheSecondsThatAKeptTokenHasLeft) {
  FetchTokenResponse response;
  ASSERT_TRUE(Token("repository:a:pull", response).ok());
  std::int64_t issued = response.issued_at();
  Cancel::Never().SleepFor(std::chrono::milliseconds(1500));
  ASSERT_TRUE(Token("repository:a:pull", response).ok());
  EXPECT_EQ(response.token(), "token-1");
  EXPECT_LT(response.expires_in(), 300);
  EXPECT_GT(response.issued_at(), issued);
}

TEST_F(AuthService, HasOneAuthorityPerHostAndSession) {
  credentials_.known["a.example"] = {"user", Secret("password"), {}, {}, "test"};
  credentials_.known["b.example"] = {"user", Secret("password"), {}, {}, "test"};
  EXPECT_EQ(PublicKey("a.example", "salt"), PublicKey("a.example", "salt"));
  EXPECT_NE(PublicKey("a.example", "salt"), PublicKey("b.example", "salt"));
  EXPECT_NE(PublicKey("a.example", "salt"), PublicKey("a.example", "other"));
  EXPECT_EQ(PublicKey("anonymous.example", "salt"), PublicKey("unknown.example", "salt"));
}

TEST_F(AuthService, SignsThePayloadOfAVerification) {
  VerifyTokenAuthorityRequest request;
  request.set_host("a.example");
  request.set_salt("salt");
  request.set_payload("challenge");
  VerifyTokenAuthorityResponse response;
  ASSERT_TRUE(Call("VerifyTokenAuthority", request, response).ok());
  ASSERT_EQ(response.signed_().size(), 64 + request.payload().size());
  EXPECT_EQ(response.signed_().substr(64), "challenge");
}

TEST_F(AuthService, RefusesMalformedRequests) {
  std::string response;
  for (const char* method : {"Credentials", "FetchToken", "GetTokenAuthority"}) {
    EXPECT_EQ(Ask(table_, kAuth + method, "\x0A\x7F", response).code, rpc::Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace depot::session::auth_service_test
