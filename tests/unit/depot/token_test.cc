#include "driver/depot/token.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "driver/base/json.h"
#include "driver/base/text.h"
#include "tests/unit/depot/fake_api.h"
#include "tests/unit/http/certificates.h"

namespace depot::api::token_test {
namespace {

using test::Connection;
using test::SeenRequest;
using test::TestServer;
using Environment = std::map<std::string, std::string>;

class FindTokenTest : public testing::Test {
 protected:
  /// "SOURCE=VALUE", "" for none, or the error.
  std::string Find(const std::string& flag, Environment environment) {
    environment.emplace("HOME", home_.path());
    auto token = FindToken(flag, environment, *client_, Cancel::Never());
    if (!token) return token.error().message();
    return *token ? Cat((*token)->source, "=", (*token)->value.Reveal()) : "";
  }

  std::string file() const { return home_.path(".config/depot/depot.yaml"); }

  test::TempDir home_;
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("test", std::chrono::seconds(5), FindSystemRoots("", ""));
};

TEST_F(FindTokenTest, TheOrderIsTheOfficialClients) {
  Environment environment = {{"DEPOT_TOKEN", "b\n"},        {"DEPOT_API_TOKEN", "c"},
                             {"GITLAB_CI", "true"},         {"DEPOT_OIDC_TOKEN", "e"},
                             {"CIRCLE_OIDC_TOKEN_V2", "f"}, {"DEPOT_JIT_TOKEN", "g"},
                             {"DEPOT_CACHE_TOKEN", "h"}};
  home_.Write(".config/depot/depot.yaml", "org_id: o\napi_token: d\n");
  EXPECT_EQ(Find("a", environment), "--token=a");
  EXPECT_EQ(Find("", environment), "DEPOT_TOKEN=b");
  environment.erase("DEPOT_TOKEN");
  EXPECT_EQ(Find("", environment), "DEPOT_API_TOKEN=c");
  environment.erase("DEPOT_API_TOKEN");
  EXPECT_EQ(Find("", environment), file() + "=d");
  std::filesystem::remove(file());
  EXPECT_EQ(Find("", environment), "DEPOT_OIDC_TOKEN (GitLab OIDC)=e");
  environment.erase("GITLAB_CI");
  EXPECT_EQ(Find("", environment), "CIRCLE_OIDC_TOKEN_V2 (CircleCI OIDC)=f");
  environment.erase("CIRCLE_OIDC_TOKEN_V2");
  EXPECT_EQ(Find("", environment), "DEPOT_JIT_TOKEN=g");
  environment.erase("DEPOT_JIT_TOKEN");
  EXPECT_EQ(Find("", environment), "DEPOT_CACHE_TOKEN=h");
  environment.erase("DEPOT_CACHE_TOKEN");
  EXPECT_EQ(Find("", environment), "");
}

TEST_F(FindTokenTest, GitHubIsAskedForTheAudience) {
  TestServer server(TestServer::Always([](Connection& connection, SeenRequest& request) {
    EXPECT_EQ(request.target, "/token?api-version=2.0&audience=https%3A%2F%2Fdepot.dev");
    EXPECT_EQ(request.headers["authorization"], "bearer request-token");
    connection.Reply(200, R"({"value":"jwt"})");
  }));
  Environment environment = {
      {"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token"},
      {"ACTIONS_ID_TOKEN_REQUEST_URL", server.Url("/token?api-version=2.0")}};
  EXPECT_EQ(Find("", environment), "GitHub OIDC=jwt");
}

TEST_F(FindTokenTest, AProviderThatFailsIsAnErrorAndNotNoToken) {
  TestServer server(TestServer::Always(
      [](Connection& connection, SeenRequest&) { connection.Reply(500, "request-token"); }));
  Environment environment = {{"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token"},
                             {"ACTIONS_ID_TOKEN_REQUEST_URL", server.Url("/")},
                             {"DEPOT_JIT_TOKEN", "g"}};
  EXPECT_EQ(Find("", environment), "GitHub OIDC gives no token: status 500");
  environment["ACTIONS_ID_TOKEN_REQUEST_URL"] = "http://example.com/?sig=s3cr3t";
  EXPECT_EQ(Find("", environment),
            "GitHub OIDC gives no token: ACTIONS_ID_TOKEN_REQUEST_URL is not encrypted");
}

TEST_F(FindTokenTest, BuildkiteIsAskedForTheJob) {
  TestServer server(TestServer::Always([](Connection& connection, SeenRequest& request) {
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.target, "/v3/jobs/job%201/oidc/tokens");
    EXPECT_EQ(request.headers["authorization"], "Token agent-token");
    auto body = Json::Parse(request.body);
    EXPECT_TRUE(body && (*body)["audience"].AsString() == "https://depot.dev") << request.body;
    connection.Reply(200, R"({"token":"jwt"})");
  }));
  Environment environment = {{"BUILDKITE_AGENT_ACCESS_TOKEN", "agent-token"},
                             {"BUILDKITE_AGENT_ENDPOINT", server.Url("/v3/")}};
  EXPECT_EQ(Find("", environment), "Buildkite OIDC gives no token: BUILDKITE_JOB_ID is not set");
  environment["BUILDKITE_JOB_ID"] = "job 1";
  EXPECT_EQ(Find("", environment), "Buildkite OIDC=jwt");
}

TEST_F(FindTokenTest, ASettingSaysWhoWantsTheApiWithoutAsking) {
  Environment environment = {{"HOME", home_.path()}};
  EXPECT_EQ(TokenSetting("", environment), "");
  EXPECT_EQ(TokenSetting("x", environment), "--token is given");
  EXPECT_EQ(TokenSetting("", {{"DEPOT_TOKEN", "x"}}), "DEPOT_TOKEN is set");
  EXPECT_EQ(TokenSetting("", {{"DEPOT_OIDC_TOKEN", "x"}}), "");
  EXPECT_EQ(TokenSetting("", {{"DEPOT_OIDC_TOKEN", "x"}, {"GITLAB_CI", "1"}}),
            "DEPOT_OIDC_TOKEN is set");
  EXPECT_EQ(TokenSetting("", {{"CIRCLE_OIDC_TOKEN_V2", "every job has it"}}), "");
  home_.Write(".config/depot/depot.yaml", "api_token: d\n");
  EXPECT_EQ(TokenSetting("", environment), Cat("a login is stored in ", file()));
  home_.Write(".config/depot/depot.yaml", "api_token: ''\n");
  EXPECT_EQ(TokenSetting("", environment), "");
}

class LoginFileTest : public FindTokenTest {
 protected:
  std::string Text() { return home_.Read(".config/depot/depot.yaml"); }
};

TEST_F(LoginFileTest, IsWhereTheOfficialClientHasIt) {
  EXPECT_EQ(LoginFile({{"HOME", "/h"}}), "/h/.config/depot/depot.yaml");
  EXPECT_EQ(LoginFile({{"HOME", "/h"}, {"XDG_CONFIG_HOME", "/x"}}), "/x/depot/depot.yaml");
  EXPECT_EQ(LoginFile({}), "");
  EXPECT_FALSE(StoreLogin("", Secret("t")));
}

TEST_F(LoginFileTest, IsForItsOwnerAlone) {
  const mode_t old = ::umask(0);
  Result<> stored = StoreLogin(file(), Secret("t0k\"en"));
  ::umask(old);
  ASSERT_TRUE(stored) << stored.error().message();
  struct stat st {};
  ASSERT_EQ(::stat(file().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600U);
  ASSERT_EQ(::stat(home_.path(".config/depot").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0700U);
  EXPECT_EQ(Find("", {}), file() + "=t0k\"en");
}

TEST_F(LoginFileTest, KeepsWhatElseIsThere) {
  home_.Write(".config/depot/depot.yaml",
              "# mine\napi_token: >-\n  ol\n  d\norg_id: o1\nmore: {a: [1, 2]}");
  ASSERT_TRUE(StoreLogin(file(), Secret("new")));
  EXPECT_EQ(Text(), "# mine\norg_id: o1\nmore: {a: [1, 2]}\napi_token: \"new\"\n");
  auto removed = RemoveLogin(file());
  ASSERT_TRUE(removed) << removed.error().message();
  EXPECT_TRUE(*removed);
  EXPECT_EQ(Text(), "# mine\norg_id: o1\nmore: {a: [1, 2]}\n");
  removed = RemoveLogin(file());
  ASSERT_TRUE(removed);
  EXPECT_FALSE(*removed);
}

TEST_F(LoginFileTest, ThatIsNotYamlIsLeftAlone) {
  for (const char* text : {"a: [", "- list\n", "{api_token: x, org_id: y}\n"}) {
    home_.Write(".config/depot/depot.yaml", text);
    Result<> stored = StoreLogin(file(), Secret("s3cr3t"));
    ASSERT_FALSE(stored) << text;
    EXPECT_EQ(stored.error().code(), ErrorCode::kInvalid);
    EXPECT_EQ(stored.error().message().find("s3cr3t"), std::string::npos);
    EXPECT_EQ(Text(), text);
  }
}

TEST_F(LoginFileTest, RemovingTheOnlyKeyLeavesAnEmptyFile) {
  ASSERT_TRUE(StoreLogin(file(), Secret("t")));
  auto removed = RemoveLogin(file());
  ASSERT_TRUE(removed) << removed.error().message();
  EXPECT_EQ(Text(), "");
  EXPECT_FALSE(*RemoveLogin(file()));
}

}  // namespace
}  // namespace depot::api::token_test
