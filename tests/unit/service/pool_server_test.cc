#include "pool/service/pool_server.h"

#include <future>

#include "proto/depot.pb.h"
#include "proto/depot_account.pb.h"

#include "driver/base/encode.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "pool/records/database.h"
#include "pool/records/records.h"
#include "tests/unit/service/test_pool.h"
#include "tests/unit/web/raw_client.h"

namespace depot::service::pool_server_test {
namespace {

namespace api = depot::cli::v1;
namespace account = depot::cli::v1beta1;

/// The calls of one client.
class Builds : public PoolServerTest {
 protected:
  Outcome<api::CreateBuildResponse> Create(const std::string& token,
                                           const std::string& project = "",
                                           bool save = false,
                                           const std::string& save_tag = "") {
    api::CreateBuildRequest request;
    if (!project.empty()) request.set_project_id(project);
    api::BuildOptions& options = *request.add_options();
    options.set_command(api::COMMAND_BUILD);
    options.add_tags("app:latest");
    options.set_save(save);
    if (!save_tag.empty()) options.add_save_tags(save_tag);
    return Call<api::CreateBuildResponse>("v1.BuildService/CreateBuild", token, request);
  }

  Outcome<api::GetBuildKitConnectionResponse> Connect(
      const api::CreateBuildResponse& build,
      api::BuilderPlatform platform = api::BUILDER_PLATFORM_AMD64) {
    api::GetBuildKitConnectionRequest request;
    request.set_build_id(build.build_id());
    request.set_platform(platform);
    return Call<api::GetBuildKitConnectionResponse>("v1.BuildService/GetBuildKitConnection",
                                                    build.build_token(), request);
  }

  Outcome<api::FinishBuildResponse> Finish(const api::CreateBuildResponse& build,
                                           const std::string& error = "") {
    api::FinishBuildRequest request;
    request.set_build_id(build.build_id());
    if (error.empty()) {
      request.mutable_success();
    } else {
      request.mutable_error()->set_error(error);
    }
    return Call<api::FinishBuildResponse>("v1.BuildService/FinishBuild", build.build_token(),
                                          request);
  }

  Outcome<api::ReportBuildHealthResponse> Health(const api::CreateBuildResponse& build) {
    api::ReportBuildHealthRequest request;
    request.set_build_id(build.build_id());
    request.set_platform(api::BUILDER_PLATFORM_AMD64);
    return Call<api::ReportBuildHealthResponse>("v1.BuildService/ReportBuildHealth",
                                                build.build_token(), request);
  }

  Outcome<api::ListBuildsResponse> List(const std::string& token,
                                        const std::string& project,
                                        int size = 0,
                                        const std::string& page = "") {
    api::ListBuildsRequest request;
    request.set_project_id(project);
    request.set_page_size(size);
    request.set_page_token(page);
    return Call<api::ListBuildsResponse>("v1.BuildService/ListBuilds", token, request);
  }

  std::unique_ptr<records::Records> OpenRecords() {
    auto opened = records::OpenRecords((folder_ / "state").string());
    EXPECT_TRUE(opened);
    return *std::move(opened);
  }
};

TEST_F(Builds, AProjectTokenBuildsItsProject) {
  std::string token = Token("one", "");
  auto created = Create(token, "one");
  ASSERT_EQ(created.code, "ok") << created.text;
  EXPECT_EQ(created.message.build_id().size(), 26u);
  EXPECT_EQ(created.message.project_id(), "one");
  EXPECT_EQ(created.message.build_url(), "http://127.0.0.1:1/builds/" + created.message.build_id());
  auto connection = Connect(created.message);
  ASSERT_TRUE(connection.message.has_active()) << connection.text;
  const auto& active = connection.message.active();
  EXPECT_EQ(active.endpoint(), Cat("tcp://127.0.0.1:", builder_port_));
  EXPECT_EQ(active.server_name(), "b");
  EXPECT_NE(active.cert().cert().find("BEGIN CERTIFICATE"), std::string::npos);
  EXPECT_NE(active.cert().key().find("PRIVATE KEY"), std::string::npos);
  EXPECT_NE(active.ca_cert().cert().find("BEGIN CERTIFICATE"), std::string::npos);
  EXPECT_EQ(active.ca_cert().key(), "");
  EXPECT_FALSE(Health(created.message).message.has_cancels_at());
  EXPECT_EQ(Finish(created.message).code, "ok");
  EXPECT_EQ(Finish(created.message).code, "ok");
  EXPECT_EQ(Connect(created.message).code, "failed_precondition");
  EXPECT_EQ(Health(created.message).code, "failed_precondition");
  auto listed = List(token, "one");
  ASSERT_EQ(listed.message.builds_size(), 1);
  EXPECT_EQ(listed.message.builds(0).status(), api::BUILD_STATUS_FINISHED);
  EXPECT_GT(listed.message.builds(0).finished_at().seconds(), 0);
  EXPECT_EQ(Get("/builds/" + created.message.build_id()).body.find("state    succeeded"), 36u);
}

TEST_F(Builds, AProjectTokenOpensNoOtherProjectWhetherItExistsOrNot) {
  std::string token = Token("one", "");
  auto other = Create(token, "two");
  auto unknown = Create(token, "nothing");
  EXPECT_EQ(other.code, "permission_denied");
  EXPECT_EQ(unknown.code, "permission_denied");
  EXPECT_NE(other.text.find("project \"two\" is forbidden"), std::string::npos) << other.text;
  EXPECT_NE(other.text.find("opens project one"), std::string::npos) << other.text;
  EXPECT_EQ(List(token, "two").code, "permission_denied");
  EXPECT_EQ(Create(token).message.project_id(), "one");  // the only one it can mean
}

TEST_F(Builds, AUserTokenOpensTheProjectsOfItsUser) {
  std::string ada = Token("", "ada");
  EXPECT_EQ(Create(ada, "one").code, "ok");
  EXPECT_EQ(Create(ada, "two").code, "ok");
  auto open = Create(ada);
  EXPECT_EQ(open.code, "invalid_argument");
  EXPECT_NE(open.text.find("DEPOT_PROJECT_ID"), std::string::npos);
  std::string bob = Token("", "bob");
  EXPECT_EQ(Create(bob, "one").code, "permission_denied");
  account::ListProjectsRequest request;
  auto projects =
      Call<account::ListProjectsResponse>("v1beta1.ProjectsService/ListProjects", ada, request);
  ASSERT_EQ(projects.message.projects_size(), 2);
  EXPECT_EQ(projects.message.projects(0).name(), "The One");
}

TEST_F(Builds, TokensThatOpenNothingAreUnauthenticated) {
  EXPECT_EQ(Create("", "one").code, "unauthenticated");
  EXPECT_EQ(Create("nonsense", "one").code, "unauthenticated");
  EXPECT_EQ(Create("depot_build_nonsense", "one").code, "unauthenticated");
  EXPECT_EQ(Create(Token("one", "", 1000), "one").code, "unauthenticated");
  std::string token = Token("one", "");
  EXPECT_EQ(Create(token, "one").code, "ok");
  ASSERT_TRUE(settings::RevokeTokenRecord(SettingsFile(), last_token_id_));
  auto revoked = Create(token, "one");
  EXPECT_EQ(revoked.code, "unauthenticated");
  EXPECT_NE(revoked.text.find("revoked"), std::string::npos) << revoked.text;
  EXPECT_NE(Get("/metrics").body.find("depot_pool_rejected_tokens_total 5"), std::string::npos);
}

TEST_F(Builds, ABuildTokenOpensItsBuildAlone) {
  std::string token = Token("one", "");
  auto first = Create(token, "one").message;
  auto second = Create(token, "one").message;
  api::CreateBuildResponse mixed = first;
  mixed.set_build_token(second.build_token());
  EXPECT_EQ(Connect(mixed).code, "not_found");
  EXPECT_EQ(Finish(mixed).code, "not_found");
  EXPECT_EQ(Health(mixed).code, "not_found");
  EXPECT_EQ(Create(first.build_token(), "one").code, "permission_denied");
  EXPECT_EQ(List(first.build_token(), "one").code, "permission_denied");
  mixed.set_build_token(Token("two", ""));
  EXPECT_EQ(Connect(mixed).code, "not_found");
  mixed.set_build_token(token);  // DEPOT_BUILD_ID: who may build the project may take part
  EXPECT_TRUE(Connect(mixed).message.has_active());
  mixed.set_build_id("nonsense");
  EXPECT_EQ(Connect(mixed).code, "not_found");
}

TEST_F(Builds, OneWaitsForTheOtherWithItsPositionInAHeader) {
  std::string token = Token("one", "");
  auto first = Create(token).message;
  auto second = Create(token).message;
  auto third = Create(token).message;
  EXPECT_TRUE(Connect(first).message.has_active());
  auto waiting = Connect(second);
  ASSERT_TRUE(waiting.message.has_pending());
  EXPECT_EQ(waiting.queue, "position=1");
  auto behind = Connect(third);
  EXPECT_EQ(behind.queue, "position=2");
  EXPECT_GT(behind.message.pending().wait_ms(), waiting.message.pending().wait_ms());
  EXPECT_NE(log().find(Cat("build ", third.build_id(), " waits for linux/amd64, position 2")),
            std::string::npos);
  Finish(first, "RUN failed");
  EXPECT_TRUE(Connect(third).message.has_pending());
  EXPECT_TRUE(Connect(second).message.has_active());
  EXPECT_EQ(List(token, "one").message.builds(2).status(), api::BUILD_STATUS_FAILED);
}

TEST_F(Builds, ARestartedPoolKnowsItsBuildsAndTheQueue) {
  std::string token = Token("one", "");
  auto first = Create(token).message;
  auto second = Create(token).message;
  auto third = Create(token).message;
  Connect(first);
  Connect(second);
  Connect(third);
  Start();
  EXPECT_EQ(Connect(third).queue, "position=2");
  EXPECT_TRUE(Connect(first).message.has_active());
  EXPECT_FALSE(Health(first).message.has_cancels_at());
  EXPECT_EQ(Finish(first).code, "ok");
  EXPECT_TRUE(Connect(third).message.has_pending());
  EXPECT_TRUE(Connect(second).message.has_active());
}

TEST_F(Builds, WhileItsOnlyBuilderIsDownABuildIsToldWhichAndWhy) {
  auto build = Create(Token("one", "")).message;
  const std::string page = Cat("/builds/", build.build_id());
  builder_ = test::Listener(64);  // on another port
  std::string reason;
  for (int i = 0; i < 300 && reason.find("is down") == std::string::npos; ++i) {
    Cancel::Never().SleepFor(std::chrono::milliseconds(100));
    reason = Connect(build).reason;
  }
  EXPECT_EQ(reason.find("builder first is down since 20"), 0U) << reason;
  EXPECT_NE(reason.find("connection refused"), std::string::npos) << reason;
  const std::string text = Get(page).body;
  EXPECT_NE(text.find("state    waiting\n"), std::string::npos) << text;
  EXPECT_NE(text.find(Cat("linux/amd64  waits, position 1: ", reason, '\n')), std::string::npos)
      << text;
}

TEST_F(Builds, ThePageOfABuildThatWaitsSaysSo) {
  std::string token = Token("one", "");
  auto first = Create(token).message;
  auto second = Create(token).message;
  Connect(first);
  EXPECT_EQ(Connect(second).reason, "every builder is busy");
  auto page = [&](const auto& build) { return Get(Cat("/builds/", build.build_id())).body; };
  EXPECT_NE(page(first).find("state    running\n"), std::string::npos) << page(first);
  EXPECT_NE(page(second).find("state    waiting\n"), std::string::npos) << page(second);
  EXPECT_NE(page(second).find("linux/amd64  waits, position 1: every builder is busy\n"),
            std::string::npos)
      << page(second);
  Finish(first);
  Connect(second);
  EXPECT_NE(page(second).find("state    running\n"), std::string::npos) << page(second);
  EXPECT_EQ(page(second).find("waits"), std::string::npos) << page(second);
}

TEST_F(Builds, ASecondPoolOfTheSameFolderIsRefusedUntilTheFirstIsGone) {
  Write("second.yaml", Cat("listen: 127.0.0.1:0\nurl: http://127.0.0.1:1\nstate: state\n"));
  auto start = [&] {
    PoolOptions options;
    options.settings_file = (folder_ / "second.yaml").string();
    options.audit = [](const std::string&) {};
    options.log = [](const std::string&) {};
    return StartPool(std::move(options));
  };
  auto second = start();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kExists);
  EXPECT_EQ(second.error().message().find(
                Cat("another depot-pool serves from ", (folder_ / "state").string())),
            0U)
      << second.error().message();
  EXPECT_NE(second.error().hint().find("stop that one first"), std::string::npos);
  EXPECT_TRUE(OpenRecords()->Check()) << "commands open the records beside it";
  pool_.reset();
  EXPECT_TRUE(start());
}

TEST_F(Builds, AFrontIsToldWhetherThereIsItsBuilder) {
  EXPECT_EQ(Get("/builders/first").body, "yes\n");
  EXPECT_EQ(Get("/builders/firs").body, "no: it has no builder firs\n");
  EXPECT_EQ(Get("/builders/").body, "no: it has no builder \n");
  const http::Response much = Get(Cat("/builders/%1b", std::string(2000, 'x')));
  EXPECT_LT(much.body.size(), 200U);
  EXPECT_EQ(much.body.find('\x1b'), std::string::npos);
}

TEST_F(Builds, ATlsFileThatIsNotThereIsNamedWithItsLine) {
  pool_.reset();
  WriteSettings("tls:\n  certificate: none.pem\n  key: none-key.pem\n");
  PoolOptions options;
  options.settings_file = SettingsFile();
  auto pool = StartPool(std::move(options));
  ASSERT_FALSE(pool);
  EXPECT_NE(pool.error().message().find(": tls: certificate names a file that cannot be read: "),
            std::string::npos)
      << pool.error().message();
  EXPECT_NE(pool.error().message().find(Cat(SettingsFile(), ": line ")), std::string::npos);
  EXPECT_NE(pool.error().hint(), "");
}

TEST_F(Builds, AnUnknownPlatformSaysWhichThereAre) {
  auto build = Create(Token("one", "")).message;
  auto refused = Connect(build, api::BUILDER_PLATFORM_ARM64);
  EXPECT_EQ(refused.code, "failed_precondition");
  EXPECT_NE(refused.text.find("it has: linux/amd64"), std::string::npos) << refused.text;
  EXPECT_EQ(Connect(build, api::BUILDER_PLATFORM_UNSPECIFIED).code, "invalid_argument");
}

TEST_F(Builds, ACancelledBuildIsToldSoWithItsHealthReport) {
  auto build = Create(Token("one", "")).message;
  Connect(build);
  std::int64_t now = WallClock();
  EXPECT_TRUE(*OpenRecords()->RequestCancel(build.build_id(), now));
  auto health = Health(build);
  EXPECT_EQ(health.message.cancels_at().seconds(), now);
  EXPECT_EQ(health.reason, "an administrator of the pool cancelled it");
  EXPECT_EQ(Connect(build).code, "failed_precondition");
}

TEST_F(Builds, ACancelledBuildThatDoesNotObeyLosesItsBuilder) {
  std::string token = Token("one", "");
  auto stubborn = Create(token).message;
  auto next = Create(token).message;
  Connect(stubborn);
  EXPECT_TRUE(Connect(next).message.has_pending());
  EXPECT_TRUE(*OpenRecords()->RequestCancel(stubborn.build_id(), 1000));
  bool has = false;
  for (int i = 0; i < 200 && !has; ++i) {
    Cancel::Never().SleepFor(std::chrono::milliseconds(100));
    has = Connect(next).message.has_active();
  }
  EXPECT_TRUE(has);
  EXPECT_EQ(OpenRecords()->Find(stubborn.build_id())->state, records::State::kCanceled);
  EXPECT_LE(Health(stubborn).message.cancels_at().seconds(), WallClock());
  EXPECT_GT(Health(stubborn).message.cancels_at().seconds(), 1000);
}

TEST_F(Builds, ARevokedTokensBuildsGetNoMachineAndEnd) {
  std::string token = Token("one", "");
  auto runs = Create(token).message;
  auto waits = Create(token).message;
  EXPECT_TRUE(Connect(runs).message.has_active());
  EXPECT_TRUE(Connect(waits).message.has_pending());
  ASSERT_TRUE(settings::RevokeTokenRecord(SettingsFile(), last_token_id_));
  for (const auto& build : {runs, waits}) {
    auto refused = Connect(build);
    EXPECT_EQ(refused.code, "permission_denied") << "no builder would be a reason to try again";
    EXPECT_NE(refused.text.find("revoked"), std::string::npos) << refused.text;
  }
  bool told = false;
  for (int i = 0; i < 100 && !told; ++i) {
    Cancel::Never().SleepFor(std::chrono::milliseconds(100));
    auto health = Health(runs);
    told = health.message.has_cancels_at();
    if (told) {
      EXPECT_NE(health.barred.find("revoked"), std::string::npos) << health.barred;
    }
  }
  EXPECT_TRUE(told);
  for (int i = 0; i < 200; ++i) {
    if (OpenRecords()->Find(waits.build_id())->state == records::State::kCanceled) break;
    Cancel::Never().SleepFor(std::chrono::milliseconds(100));
  }
  EXPECT_EQ(OpenRecords()->Find(waits.build_id())->state, records::State::kCanceled);
  EXPECT_NE(Connect(waits).text.find("revoked"), std::string::npos) << Connect(waits).text;
  EXPECT_EQ(Connect(waits).code, "permission_denied");
  EXPECT_EQ(OpenRecords()->Find(runs.build_id())->state, records::State::kCanceled);
  const std::string metrics = Get("/metrics").body;
  EXPECT_NE(metrics.find("depot_pool_slots_in_use{platform=\"linux/amd64\"} 0"), std::string::npos)
      << metrics;
}

TEST_F(Builds, AFrontIsToldWhoMayBeOnItsBuilder) {
  std::string token = Token("one", "");
  auto build = Create(token).message;
  auto on = [&](const std::string& builder) {
    return Get(Cat("/builds/", build.build_id(), "/on/", builder)).body;
  };
  EXPECT_EQ(on("first"), "no: the build does not have this builder\n");
  Connect(build);
  EXPECT_EQ(on("first"), "yes\n");
  EXPECT_EQ(on("second"), "no: the build does not have this builder\n");
  EXPECT_EQ(on(""), "no: the build does not have this builder\n");
  Finish(build);
  EXPECT_EQ(on("first"), "no: the build is over: succeeded\n");
  EXPECT_EQ(Get("/builds/nothing/on/first").body, "no: the pool does not know this build\n");
}

TEST_F(Builds, ListComesInPages) {
  std::string token = Token("two", "");
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i)
    ids.push_back(Create(token).message.build_id());
  auto page = List(token, "two", 2);
  ASSERT_EQ(page.message.builds_size(), 2);
  EXPECT_EQ(page.message.builds(0).id(), ids[4]);
  page = List(token, "two", 2, page.message.next_page_token());
  EXPECT_EQ(page.message.builds(0).id(), ids[2]);
  page = List(token, "two", 2, page.message.next_page_token());
  ASSERT_EQ(page.message.builds_size(), 1);
  EXPECT_EQ(page.message.next_page_token(), "");
  EXPECT_EQ(List(token, "two", 2, "1 OR 1").code, "invalid_argument");
}

TEST_F(Builds, SavedBuildsGetANameAndACredentialAndCanBePulled) {
  std::string token = Token("", "ada");
  auto build = Create(token, "one", true, "v1").message;
  ASSERT_EQ(build.additional_tags_size(), 2);
  EXPECT_EQ(build.additional_tags(0).tag(), "reg.example:5000/saved:" + build.build_id());
  EXPECT_TRUE(build.additional_tags(0).push());
  EXPECT_EQ(build.additional_tags(1).tag(), "reg.example:5000/saved:v1");
  ASSERT_EQ(build.additional_credentials_size(), 1);
  EXPECT_EQ(build.additional_credentials(0).host(), "reg.example:5000");
  EXPECT_EQ(FromBase64(build.additional_credentials(0).token()), "u:hunter2");
  api::GetPullInfoRequest request;
  request.set_build_id(build.build_id());
  auto pull = [&] {
    return Call<api::GetPullInfoResponse>("v1.BuildService/GetPullInfo", token, request);
  };
  EXPECT_EQ(pull().code, "failed_precondition");
  Finish(build);
  EXPECT_EQ(pull().message.reference(), "reg.example:5000/saved:" + build.build_id());
  EXPECT_EQ(pull().message.password(), "hunter2");
  EXPECT_TRUE(pull().message.options(0).save());
  EXPECT_EQ(Create(token, "two", true).code, "failed_precondition");
  EXPECT_EQ(Create(token, "one", true, "../x").code, "invalid_argument");
  request.set_build_id(Create(token, "one").message.build_id());
  EXPECT_EQ(pull().message.reference(), "");
  EXPECT_EQ(pull().message.password(), "");
}

TEST_F(Builds, ACacheThatOthersShareIsNotEmptied) {
  account::ResetProjectCacheRequest request;
  request.set_project_id("one");
  auto reset = Call<account::ResetProjectCacheResponse>("v1beta1.ProjectsService/ResetProjectCache",
                                                        Token("one", ""), request);
  EXPECT_EQ(reset.code, "failed_precondition");
  EXPECT_NE(reset.text.find("projects: [one]"), std::string::npos) << reset.text;
}

TEST_F(Builds, MethodsAPoolDoesNotHaveSaySo) {
  http::Response answer = Post("/depot.cli.v1.BuildService/Invented", Token("one", ""), "");
  EXPECT_EQ(answer.status, 501);
  EXPECT_NE(answer.body.find("unimplemented"), std::string::npos);
  EXPECT_EQ(Get("/elsewhere").status, 404);
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(Builds, ReportsAreTakenAndDropped) {
  auto build = Create(Token("one", "")).message;
  std::string envelope("\0\0\0\0\0", 5);
  std::string path = "/depot.cli.v1.BuildService/ReportStatusStream";
  std::string type = "application/connect+proto";
  http::Response taken = Post(path, build.build_token(), envelope + envelope, type);
  EXPECT_EQ(taken.status, 200);
  EXPECT_EQ(taken.body.find("error"), std::string::npos) << taken.body;
  http::Response refused = Post(path, "nonsense", envelope, type);
  EXPECT_NE(refused.body.find("unauthenticated"), std::string::npos) << refused.body;
  std::string metrics = Get("/metrics").body;
  EXPECT_NE(metrics.find("depot_pool_reports_total 2"), std::string::npos);
  EXPECT_NE(metrics.find("depot_pool_builds{state=\"running\"} 1"), std::string::npos);
  EXPECT_NE(metrics.find("method=\"CreateBuild\",code=\"ok\"} 1"), std::string::npos);
}

TEST_F(Builds, ANewTokenCountsForAllWhoUseItAtTheSameTime) {
  for (int i = 0; i < 20; ++i) {
    std::string token = Token("one", "");
    std::vector<std::future<std::string>> codes(4);
    for (auto& code : codes)
      code = std::async(std::launch::async, [&] { return Create(token).code; });
    for (auto& code : codes)
      EXPECT_EQ(code.get(), "ok");
  }
}

TEST_F(Builds, SettingsThatBreakLeaveTheOldOnesInPlace) {
  std::string token = Token("one", "");
  EXPECT_EQ(Create(token).code, "ok");
  Write("pool.yaml", "listen: [");
  EXPECT_EQ(Create(token).code, "ok");
  EXPECT_EQ(Create(token).code, "ok");
  EXPECT_NE(log().find("those from before stay"), std::string::npos);
  EXPECT_NE(Get("/metrics").body.find("depot_pool_settings_errors_total 1"), std::string::npos);
  test::Listener another;
  builder_port_ = another.port();
  WriteSettings("");
  std::string fresh = Token("two", "");
  auto build = Create(fresh).message;
  EXPECT_EQ(Connect(build).message.active().endpoint(), Cat("tcp://127.0.0.1:", another.port()));
  EXPECT_EQ(Create(token).code, "unauthenticated");
}

TEST_F(Builds, EachDecisionIsAJsonLineWithoutSecrets) {
  std::string token = Token("one", "");
  auto build = Create(token).message;
  auto connection = Connect(build).message;
  Create(token, "two\"\n{\x1b[31m");
  Finish(build, "failed at https://u:geheim@host/");
  std::string lines = audit();
  int count = 0;
  for (std::string_view line : Split(Trim(lines), '\n')) {
    auto parsed = Json::Parse(line);
    ASSERT_TRUE(parsed) << line;
    EXPECT_TRUE((*parsed)["verdict"].is_string());
    EXPECT_EQ((*parsed)["peer"].AsString(), "127.0.0.1");
    ++count;
  }
  EXPECT_EQ(count, 4);
  for (const std::string& secret :
       {token, build.build_token(), connection.active().cert().key().substr(40, 20),
        std::string("geheim"), std::string("\x1b")}) {
    EXPECT_EQ(lines.find(secret), std::string::npos);
    EXPECT_EQ(log().find(secret), std::string::npos);
  }
  EXPECT_EQ(OpenRecords()->Find(build.build_id())->error.find("geheim"), std::string::npos);
}

TEST_F(Builds, ALoginIsApprovedByItsCodeAndGivesAUserToken) {
  account::StartLoginRequest start;
  auto login = Call<account::StartLoginResponse>("v1beta1.LoginService/StartLogin", "", start);
  std::string url = login.message.approve_url();
  std::string code = url.substr(url.rfind('/') + 1);
  EXPECT_NE(Get("/login/" + code).body.find("login approve " + code), std::string::npos);
  EXPECT_EQ(Get("/login/AAAA-AAAA").status, 404);
  account::FinishLoginRequest finish;
  finish.set_id(login.message.id());
  auto envelope = [](const std::string& message) {
    return std::string("\0\0\0\0", 4) + static_cast<char>(message.size()) + message;
  };
  std::string path = "/depot.cli.v1beta1.LoginService/FinishLogin";
  std::string type = "application/connect+proto";
  http::Response answer;
  TaskGroup waiting(Cancel::Never());
  waiting.Start("login", [&](const Cancel&) -> Result<> {
    answer = Post(path, "", envelope(finish.SerializeAsString()), type);
    return {};
  });
  auto records = OpenRecords();
  settings::TokenRecord record;
  record.id = "login";
  record.sha256 = records->FindLogin(code, 1)->token_hash;
  record.user = "ada";
  record.created_at = 1;
  ASSERT_TRUE(settings::AddTokenRecord(SettingsFile(), record));
  ASSERT_TRUE(records->ApproveLogin(code, "ada"));
  ASSERT_TRUE(waiting.Wait());
  account::FinishLoginResponse response;
  ASSERT_GT(answer.body.size(), 5u);
  ASSERT_TRUE(
      response.ParseFromString(answer.body.substr(5, static_cast<unsigned char>(answer.body[4]))));
  EXPECT_EQ(Create(response.token(), "two").code, "ok");
  answer = Post(path, "", envelope(finish.SerializeAsString()), type);
  EXPECT_NE(answer.body.find("not_found"), std::string::npos);
  EXPECT_EQ(audit().find(response.token()), std::string::npos);
}

TEST_F(Builds, GoOnWhileAnotherProcessHasTheRecordsLocked) {
  std::string token = Token("one", "");
  auto first = Create(token).message;
  auto second = Create(token).message;
  auto third = Create(token).message;
  EXPECT_TRUE(Connect(first).message.has_active());
  EXPECT_TRUE(Connect(second).message.has_pending());
  records::Database other((folder_ / "state" / "builds.sqlite").string());
  std::future<Outcome<api::CreateBuildResponse>> created;
  ASSERT_TRUE(other.Change([&](sqlite3*) -> Result<> {
    created = std::async(std::launch::async, [&] { return Create(token); });
    EXPECT_EQ(Health(first).code, "ok");
    EXPECT_EQ(Finish(first).code, "ok");
    EXPECT_TRUE(Connect(second).message.has_active());
    EXPECT_TRUE(Connect(third).message.has_pending());
    EXPECT_EQ(Get("/healthz").status, 200);
    return {};
  }));
  EXPECT_EQ(created.get().code, "ok") << "it waits without a worker";
  auto is_over = [&] {
    return OpenRecords()->Find(first.build_id())->state == records::State::kSucceeded;
  };
  for (int i = 0; i < 200 && !is_over(); ++i)
    Cancel::Never().SleepFor(std::chrono::milliseconds(50));
  EXPECT_TRUE(is_over()) << "it was written down afterwards";
  Start();
  EXPECT_TRUE(Connect(second).message.has_active());
  EXPECT_EQ(Connect(third).queue, "position=1");
}

TEST_F(Builds, RefusedTokensAreRefusedBeforeTheirBody) {
  test::RawClient client(pool_->port());
  client.Send(
      "POST /depot.cli.v1.BuildService/CreateBuild HTTP/1.1\r\nHost: x\r\n"
      "Content-Type: application/proto\r\nContent-Length: 4000000\r\n\r\n");
  EXPECT_EQ(client.Read().status, 401);
}

TEST_F(Builds, OpenLoginsAreBounded) {
  account::StartLoginRequest start;
  std::string code;
  for (int i = 0; i < 11; ++i)
    code = Call<account::StartLoginResponse>("v1beta1.LoginService/StartLogin", "", start).code;
  EXPECT_EQ(code, "unavailable");
}

}  // namespace
}  // namespace depot::service::pool_server_test
