#include <future>

#include "proto/depot.pb.h"

#include "driver/base/text.h"
#include "pool/service/board_page.h"
#include "pool/service/pool_server.h"
#include "tests/unit/service/test_pool.h"

namespace depot::service::board_test {
namespace {

namespace api = depot::cli::v1;

/// Somebody with a browser.
class BoardTest : public PoolServerTest {
 protected:
  http::Response Ask(const std::string& method,
                     const std::string& path,
                     const std::string& cookie,
                     const std::string& body = "",
                     const std::string& site = "same-origin") {
    http::Request request;
    request.method = method;
    request.url = url_ + path;
    request.headers = {{"Sec-Fetch-Site", site}};
    if (!cookie.empty()) request.headers.emplace_back("Cookie", "x=1; " + cookie);
    if (method == "POST") {
      request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    }
    request.body = Secret(body);
    return Send(std::move(request));
  }

  /// The cookie of a visit.
  std::string SignIn(const std::string& token) {
    http::Response answer = Ask("POST", "/", "", "other=1&token=" + token);
    EXPECT_EQ(answer.status, 303);
    EXPECT_EQ(answer.Header("location"), "/");
    std::string cookie = answer.Header("set-cookie");
    EXPECT_NE(cookie.find("; HttpOnly; SameSite=Strict"), std::string::npos) << cookie;
    EXPECT_EQ(cookie.find(token), std::string::npos);
    return cookie.substr(0, cookie.find(';'));
  }

  Json Fleet(const std::string& cookie) {
    http::Response answer = Ask("GET", "/fleet.json", cookie);
    EXPECT_EQ(answer.status, 200) << answer.body;
    auto fleet = Json::Parse(answer.body);
    EXPECT_TRUE(fleet) << answer.body;
    return fleet ? *fleet : Json();
  }

  /// A build that has asked for its builder.
  std::string Build(const std::string& token,
                    const std::string& project,
                    const std::string& image) {
    api::CreateBuildRequest request;
    request.set_project_id(project);
    request.add_options()->add_tags(image);
    auto build = Call<api::CreateBuildResponse>("v1.BuildService/CreateBuild", token, request);
    EXPECT_EQ(build.code, "ok") << build.text;
    api::GetBuildKitConnectionRequest asked;
    asked.set_build_id(build.message.build_id());
    asked.set_platform(api::BUILDER_PLATFORM_AMD64);
    Call<api::GetBuildKitConnectionResponse>("v1.BuildService/GetBuildKitConnection",
                                             build.message.build_token(), asked);
    return build.message.build_id();
  }
};

TEST_F(BoardTest, WithoutATokenThereIsNothingOfIt) {
  std::string secret = Build(Token("one", ""), "one", "covert.example/image");
  for (const std::string& cookie : {"", "depot-pool=", "depot-pool=visit_made-up"}) {
    http::Response page = Ask("GET", "/", cookie);
    EXPECT_EQ(page.status, 200);
    EXPECT_NE(page.body.find("type=\"password\""), std::string::npos);
    EXPECT_EQ(page.body.find("<script"), std::string::npos);
    http::Response fleet = Ask("GET", "/fleet.json", cookie);
    EXPECT_EQ(fleet.status, 401);
    for (const std::string& word : {secret, std::string("covert"), std::string("first")}) {
      EXPECT_EQ(page.body.find(word), std::string::npos) << word;
      EXPECT_EQ(fleet.body.find(word), std::string::npos) << word;
    }
  }
}

TEST_F(BoardTest, OnlyTokensThatOpenProjectsOpenIt) {
  for (const std::string& token : {"", "wrong", "%00%ff", "depot_build_x"}) {
    http::Response answer = Ask("POST", "/", "", "token=" + token);
    EXPECT_EQ(answer.status, 401) << token;
    EXPECT_EQ(answer.Header("set-cookie"), "");
  }
  std::string token = Token("one", "");
  EXPECT_EQ(Ask("POST", "/", "", "token=" + token, "cross-site").status, 403);
  EXPECT_EQ(Ask("GET", "/?token=" + token, "").body.find("fleet.json"), std::string::npos);
  SignIn(token);
  EXPECT_EQ((audit() + log()).find(token), std::string::npos);
  EXPECT_NE(audit().find("\"SignIn\""), std::string::npos);
}

TEST_F(BoardTest, ItShowsWhatTheTokenOpensAndPlacesOfOthers) {
  std::string one = Build(Token("one", ""), "one", "reg.example/<script>\n:1");
  std::string two = Build(Token("two", ""), "two", "reg.example/two");
  std::string third = Build(Token("one", ""), "one", "reg.example/third");
  std::string cookie = SignIn(Token("one", ""));
  std::string policy = Ask("GET", "/", cookie).Header("content-security-policy");
  EXPECT_EQ(policy.find("unsafe"), std::string::npos) << policy;
  Json fleet = Fleet(cookie);
  EXPECT_EQ(fleet["builders"][0]["name"].AsString(), "first");
  EXPECT_EQ(fleet["builders"][0]["in_use"].AsInt(), 1);
  EXPECT_EQ(fleet["builds"].size(), 2u);
  EXPECT_EQ(fleet["builds"][1]["build"].AsString(), one);
  EXPECT_EQ(fleet["builds"][1]["image"].AsString(), "reg.example/<script>?:1");
  EXPECT_EQ(fleet["builds"][1]["machines"][0]["builder"].AsString(), "first");
  ASSERT_EQ(fleet["queue"].size(), 2u);
  EXPECT_EQ(fleet.Dump().find(two), std::string::npos);
  EXPECT_EQ(fleet.Dump().find("reg.example/two"), std::string::npos);
  EXPECT_NE(fleet["queue"].Dump().find("another project"), std::string::npos);
  EXPECT_NE(fleet["queue"].Dump().find(third), std::string::npos);
  EXPECT_EQ(fleet["queue"][0]["reason"].AsString(), "every builder is busy");
  const std::string metrics = Get("/metrics").body;
  for (std::string_view line :
       {"depot_pool_grants_total{platform=\"linux/amd64\",grounds=\"",
        "depot_pool_queue_longest_wait_seconds{platform=\"linux/amd64\"} ",
        "depot_pool_queue_length{platform=\"linux/amd64\"} 2",
        "depot_pool_builder_draining{builder=\"first\",source=\"first\","
        "platform=\"linux/amd64\"} 0",
        "depot_pool_builder_slots_in_use{builder=\"first\",source=\"first\","
        "platform=\"linux/amd64\"} 1"}) {
    EXPECT_NE(metrics.find(line), std::string::npos) << line << '\n' << metrics;
  }
}

TEST_F(BoardTest, WhatIsShownHasAnEnd) {
  std::string token = Token("one", "");
  for (int i = 0; i < 230; ++i)
    Build(token, "one", std::string(5000, 'x'));
  http::Response answer = Ask("GET", "/fleet.json", SignIn(token));
  EXPECT_LT(answer.body.size(), 400u << 10);
  auto fleet = Json::Parse(answer.body);
  ASSERT_TRUE(fleet);
  EXPECT_EQ((*fleet)["builds"].size(), 200u);
  EXPECT_EQ((*fleet)["more_builds"].AsInt(), 30);
  EXPECT_EQ((*fleet)["queue"].size(), 200u);
  EXPECT_EQ((*fleet)["more_queue"].AsInt(), 29);
}

TEST_F(BoardTest, AVisitEndsWithItsTokenOrItsSignOut) {
  std::string token = Token("one", "");
  std::string cookie = SignIn(token);
  std::string other = SignIn(token);
  EXPECT_EQ(Ask("POST", "/sign-out", cookie, "", "cross-site").status, 403);
  EXPECT_EQ(Ask("GET", "/fleet.json", cookie).status, 200);
  EXPECT_NE(Ask("POST", "/sign-out", cookie).Header("set-cookie").find("Max-Age=0"),
            std::string::npos);
  EXPECT_EQ(Ask("GET", "/fleet.json", cookie).status, 401);
  EXPECT_EQ(Ask("GET", "/fleet.json", other).status, 200);
  ASSERT_TRUE(settings::RevokeTokenRecord(SettingsFile(), last_token_id_));
  EXPECT_EQ(Ask("GET", "/fleet.json", other).status, 401);
}

TEST_F(BoardTest, ATokenHasSoManyVisitsAndTheOldestGoes) {
  std::string one = Token("one", "");
  std::string first = SignIn(one);
  std::string stranger = SignIn(Token("two", ""));
  std::vector<std::string> visits;
  for (int i = 0; i < 30; ++i)
    visits.push_back(SignIn(one));
  int open = Ask("GET", "/fleet.json", first).status == 200 ? 1 : 0;
  for (const std::string& visit : visits)
    open += Ask("GET", "/fleet.json", visit).status == 200 ? 1 : 0;
  EXPECT_EQ(open, 20);
  EXPECT_EQ(Ask("GET", "/fleet.json", stranger).status, 200);
}

}  // namespace
}  // namespace depot::service::board_test
