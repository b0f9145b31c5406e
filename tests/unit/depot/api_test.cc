#include "driver/depot/api.h"

#include <atomic>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "proto/depot.pb.h"
#include "proto/depot_account.pb.h"

#include "driver/base/encode.h"
#include "driver/base/text.h"
#include "tests/unit/depot/fake_api.h"

namespace depot::api::api_test {
namespace {

namespace cli = ::depot::cli::v1;
namespace account = ::depot::cli::v1beta1;
using test::Answer;
using test::AnswerStream;
using test::Clock;
using test::Connection;
using test::Frame;
using test::milliseconds;
using test::Refuse;
using test::SeenRequest;

class DepotApi : public testing::Test, protected test::WithFakeApi {
 protected:
  /// Answers `answer` after `failures` calls of `fail`.
  void FailFirst(const std::string& method,
                 int failures,
                 test::FakeApi::Handler fail,
                 std::string answer = "") {
    auto left = std::make_shared<std::atomic<int>>(failures);
    server_.On(method, [=](Connection& connection, const SeenRequest& request) {
      if (left->fetch_sub(1) > 0) return fail(connection, request);
      Answer(connection, answer);
    });
  }

  Result<std::vector<Project>> List() { return api_->ListProjects(token_, Cancel::Never()); }

  Error FailureOfList() {
    auto projects = List();
    return projects ? Error(ErrorCode::kInternal, "it succeeded") : projects.error();
  }

  static std::string NewBuild() {
    cli::CreateBuildResponse answer;
    answer.set_build_id("b1");
    answer.set_build_token("build-token");
    return answer.SerializeAsString();
  }

  const Token token_{Secret("s3cr3t-token"), "DEPOT_TOKEN"};
  const CreatedBuild build_{"b1", Secret("build-token"), "p1", "", {}, {}};
};

void Busy(Connection& connection, const SeenRequest&) {
  Refuse(connection, 503, "unavailable", "try later");
}

TEST_F(DepotApi, CreateBuildSaysWhatTheOfficialClientSays) {
  server_.On("CreateBuild", [](Connection& c, const SeenRequest&) { Answer(c, NewBuild()); });
  BuildDescription description;
  description.project = "p1";
  description.tags = {"a:1", "b:2"};
  description.outputs = {{"image", {{"push", "true"}}}};
  description.push = true;
  description.target = "prod";
  description.save_tags = {"s"};
  auto build = api_->CreateBuild(token_, description, Cancel::Never());
  ASSERT_TRUE(build) << build.error().message();
  EXPECT_EQ(build->id, "b1");
  EXPECT_EQ(build->token.Reveal(), "build-token");
  EXPECT_EQ(build->project, "");

  SeenRequest request = server_.seen("CreateBuild").at(0).request;
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/depot.cli.v1.BuildService/CreateBuild");
  EXPECT_EQ(request.headers["content-type"], "application/proto");
  EXPECT_EQ(request.headers["connect-protocol-version"], "1");
  EXPECT_EQ(request.headers["authorization"], "Bearer s3cr3t-token");
  EXPECT_EQ(request.headers["user-agent"], "docker-depot/test");
  EXPECT_EQ(request.headers["transfer-encoding"], "");
  cli::CreateBuildRequest message;
  ASSERT_TRUE(message.ParseFromString(request.body));
  EXPECT_EQ(message.project_id(), "p1");
  ASSERT_EQ(message.options_size(), 1);
  EXPECT_EQ(message.options(0).command(), cli::COMMAND_BUILD);
  EXPECT_EQ(message.options(0).tags_size(), 2);
  EXPECT_EQ(message.options(0).outputs(0).kind(), "image");
  EXPECT_EQ(message.options(0).outputs(0).attributes().at("push"), "true");
  EXPECT_TRUE(message.options(0).push());
  EXPECT_FALSE(message.options(0).load());
  EXPECT_EQ(message.options(0).target_name(), "prod");
  EXPECT_EQ(message.options(0).save_tags(0), "s");
}

TEST_F(DepotApi, CreateBuildBringsCredentialsAndTags) {
  cli::CreateBuildResponse answer;
  answer.ParseFromString(NewBuild());
  answer.set_project_id("p9");
  answer.set_build_url("https://x/\x1b[31m");
  auto* credential = answer.add_additional_credentials();
  credential->set_host("r.example");
  credential->set_token(Base64("user:pass:word"));
  answer.add_additional_credentials()->set_host("broken.example");
  auto* tag = answer.add_additional_tags();
  tag->set_tag("r.example/x:1");
  tag->set_push(true);
  server_.On("CreateBuild",
             [&](Connection& c, const SeenRequest&) { Answer(c, answer.SerializeAsString()); });
  auto build = api_->CreateBuild(token_, {}, Cancel::Never());
  ASSERT_TRUE(build) << build.error().message();
  EXPECT_EQ(build->project, "p9");
  EXPECT_EQ(build->url, "https://x/?[31m");
  ASSERT_EQ(build->credentials.size(), 1U);
  EXPECT_EQ(build->credentials[0].host, "r.example");
  EXPECT_EQ(build->credentials[0].username, "user");
  EXPECT_EQ(build->credentials[0].password.Reveal(), "pass:word");
  ASSERT_EQ(build->tags.size(), 1U);
  EXPECT_TRUE(build->tags[0].push);
  EXPECT_NE(said_.text().find("broken.example"), std::string::npos);
}

TEST_F(DepotApi, AnAnswerWithoutABuildIsNoBuild) {
  auto build = api_->CreateBuild(token_, {}, Cancel::Never());
  ASSERT_FALSE(build);
  EXPECT_EQ(build.error().message(), "CreateBuild: the Depot API's answer names no build");
}

TEST_F(DepotApi, ABusyApiIsAskedAgainAndEachTimeThereIsALine) {
  FailFirst("ListProjects", 2, Busy);
  EXPECT_TRUE(List());
  EXPECT_EQ(said_.all(),
            (std::vector<std::string>{
                "the Depot API answers 503 (try later): trying again in 1 s (1 of 3)",
                "the Depot API answers 503 (try later): trying again in 1 s (2 of 3)"}));
}

TEST_F(DepotApi, GivesUpAfterThreeMoreTriesWithTheReason) {
  FailFirst("ListProjects", 100, [](Connection& connection, const SeenRequest&) {
    connection.Reply(502, "<h1>Bad Gateway</h1>", "Content-Type: text/html\r\n");
  });
  Error error = FailureOfList();
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_EQ(error.message(), Cat("ListProjects: the Depot API ", server_.Url(),
                                 " answers unavailable: status 502 with text/html"));
  EXPECT_EQ(error.hint(), "try again later");
  EXPECT_EQ(server_.seen("ListProjects").size(), 4U);
}

TEST_F(DepotApi, ObeysRetryAfter) {
  FailFirst("ListProjects", 1, [](Connection& connection, const SeenRequest&) {
    Refuse(connection, 429, "resource_exhausted", "slow down", "Retry-After: 1\r\n");
  });
  EXPECT_TRUE(List());
  auto seen = server_.seen("ListProjects");
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_GE(seen[1].at - seen[0].at, milliseconds(950));
}

TEST_F(DepotApi, DoesNotWaitForARetryAfterThatIsTooFarAway) {
  std::size_t asked = 0;
  for (const std::string when : {"3600", "Fri, 31 Dec 2049 23:59:59 GMT"}) {
    FailFirst("ListProjects", 1, [when](Connection& connection, const SeenRequest&) {
      Refuse(connection, 503, "unavailable", "maintenance", Cat("Retry-After: ", when, "\r\n"));
    });
    EXPECT_EQ(FailureOfList().code(), ErrorCode::kUnavailable);
    EXPECT_EQ(server_.seen("ListProjects").size(), ++asked) << when;
  }
}

TEST_F(DepotApi, ABodyThatBreaksOffIsAskedForAgain) {
  FailFirst("ListProjects", 1, [](Connection& connection, const SeenRequest&) {
    connection.Write(
        "HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\n"
        "Content-Length: 100\r\nConnection: close\r\n\r\nhalf");
    connection.HangUp();
  });
  EXPECT_TRUE(List());
  EXPECT_NE(said_.text().find("in the middle of its answer"), std::string::npos) << said_.text();
}

TEST_F(DepotApi, ABuildIsNotCreatedTwiceForALostAnswer) {
  FailFirst(
      "CreateBuild", 1, [](Connection& connection, const SeenRequest&) { connection.HangUp(); },
      NewBuild());
  EXPECT_FALSE(api_->CreateBuild(token_, {}, Cancel::Never()));
  FailFirst(
      "CreateBuild", 1,
      [](Connection& connection, const SeenRequest&) {
        Refuse(connection, 502, "unavailable", "lost it");
      },
      NewBuild());
  EXPECT_FALSE(api_->CreateBuild(token_, {}, Cancel::Never()));
  EXPECT_EQ(server_.seen("CreateBuild").size(), 2U);
  EXPECT_EQ(said_.text(), "");
}

TEST_F(DepotApi, ABuildIsCreatedAgainWhenTheApiDidNothing) {
  FailFirst("CreateBuild", 2, Busy, NewBuild());
  EXPECT_TRUE(api_->CreateBuild(token_, {}, Cancel::Never()));
  EXPECT_EQ(server_.seen("CreateBuild").size(), 3U);
}

TEST_F(DepotApi, CreateBuildTriesAgainWhenNobodyListens) {
  Connect(test::ShortTimes(), "http://127.0.0.1:1");
  auto build = api_->CreateBuild(token_, {}, Cancel::Never());
  ASSERT_FALSE(build);
  EXPECT_EQ(build.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(build.error().message(),
            "CreateBuild: cannot reach the Depot API http://127.0.0.1:1: connection refused");
  EXPECT_EQ(said_.all().size(), 3U);
}

TEST_F(DepotApi, ARefusedTokenIsNamedByItsSourceAndNeverByItsValue) {
  server_.On("ListProjects", [](Connection& connection, const SeenRequest& request) {
    Refuse(connection, 401, "unauthenticated",
           Cat("bad token ", request.headers.at("authorization")));
  });
  Error error = FailureOfList();
  EXPECT_EQ(error.code(), ErrorCode::kDenied);
  EXPECT_EQ(error.message(),
            Cat("ListProjects: the Depot API ", server_.Url(),
                " refuses the token of DEPOT_TOKEN: unauthenticated: bad token Bearer ***"));
  EXPECT_NE(error.hint().find("DEPOT_TOKEN"), std::string::npos);
  EXPECT_EQ(server_.seen().size(), 1U);
}

TEST_F(DepotApi, CodesBecomeErrorCodes) {
  const std::map<std::string, ErrorCode> codes = {
      {"permission_denied", ErrorCode::kDenied}, {"not_found", ErrorCode::kNotFound},
      {"invalid_argument", ErrorCode::kInvalid}, {"unimplemented", ErrorCode::kUnsupported},
      {"canceled", ErrorCode::kUnavailable},     {"internal", ErrorCode::kFailed}};
  for (const auto& [name, code] : codes) {
    server_.On("ListProjects", [name = name](Connection& connection, const SeenRequest&) {
      Refuse(connection, 400, name, "why\\u001b[1m");
    });
    Error error = FailureOfList();
    EXPECT_EQ(error.code(), code) << name;
    EXPECT_TRUE(error.message().ends_with(name + ": why?[1m")) << error.message();
  }
}

TEST_F(DepotApi, AStatusWithoutJsonStandsForItsCode) {
  for (auto [status, code] :
       {std::pair{403, ErrorCode::kDenied}, std::pair{404, ErrorCode::kUnsupported},
        std::pair{302, ErrorCode::kFailed}, std::pair{500, ErrorCode::kFailed}}) {
    server_.On("ListProjects", [status = status](Connection& connection, const SeenRequest&) {
      connection.Reply(status, "<html>", "Content-Type: text/html; charset=utf-8\r\n");
    });
    Error error = FailureOfList();
    EXPECT_EQ(error.code(), code) << status;
    EXPECT_NE(error.message().find(": this is not a Depot API"), std::string::npos);
  }
}

TEST_F(DepotApi, AWebPageIsNoAnswer) {
  server_.On("ListProjects", [](Connection& connection, const SeenRequest&) {
    connection.Reply(200, "<html>log in</html>", "Content-Type: text/html\r\n");
  });
  Error error = FailureOfList();
  EXPECT_EQ(error.code(), ErrorCode::kInvalid);
  EXPECT_NE(error.message().find("answers with text/html: this is not a Depot API"),
            std::string::npos)
      << error.message();
}

TEST_F(DepotApi, GarbageIsNoAnswer) {
  server_.On("ListProjects", [](Connection& c, const SeenRequest&) { Answer(c, "\xff\xff"); });
  EXPECT_EQ(FailureOfList().code(), ErrorCode::kInvalid);
  server_.On("ListProjects", [](Connection& connection, const SeenRequest&) {
    connection.Reply(200, "x", "Content-Type: application/proto\r\nContent-Encoding: gzip\r\n");
  });
  EXPECT_EQ(FailureOfList().code(), ErrorCode::kInvalid);
}

TEST_F(DepotApi, ASilentApiIsAClearFailureAfterOneAttempt) {
  Times times = test::ShortTimes();
  times.attempt = milliseconds(200);
  Connect(times, server_.Url());
  server_.On("ListProjects", [](Connection& c, const SeenRequest&) { c.StaySilent(); });
  Error error = FailureOfList();
  EXPECT_EQ(error.code(), ErrorCode::kTimeout);
  EXPECT_NE(error.message().find("no answer within 1 s"), std::string::npos) << error.message();
  EXPECT_EQ(server_.seen().size(), 1U);
}

TEST_F(DepotApi, AConnectionThatNobodyAnswersIsTriedAgain) {
  // Once its queue is full the system drops what else comes, as for a machine that is gone.
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* address = reinterpret_cast<sockaddr*>(&at);
  ASSERT_EQ(::bind(listener.get(), address, size), 0);
  ASSERT_EQ(::listen(listener.get(), 0), 0);
  ASSERT_EQ(::getsockname(listener.get(), address, &size), 0);
  std::vector<Fd> fill;
  for (int i = 0; i < 4; ++i) {
    fill.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ::connect(fill.back().get(), address, size);
  }
  client_ =
      http::MakeCurlClient("docker-depot/test", std::chrono::seconds(1), FindSystemRoots("", ""));
  Connect(test::ShortTimes(), Cat("http://127.0.0.1:", ntohs(at.sin_port)));
  const Error error = FailureOfList();
  EXPECT_EQ(error.code(), ErrorCode::kTimeout);
  EXPECT_EQ(said_.all().size(), 3U) << said_.text();
}

TEST_F(DepotApi, ACancelEndsTheWaitBetweenTriesAtOnce) {
  Times times = test::ShortTimes();
  times.first_wait = milliseconds(14'000);
  Connect(times, server_.Url());
  server_.On("ListProjects", Busy);
  CancelSource source;
  TaskGroup group(Cancel::Never());
  group.Start("cancel", [&](const Cancel&) -> Result<> {
    server_.WaitFor("ListProjects", 1);
    source.Request(Error(ErrorCode::kCancelled, "the user said stop"));
    return {};
  });
  const auto start = Clock::now();
  auto projects = api_->ListProjects(token_, source.cancel());
  ASSERT_FALSE(projects);
  EXPECT_EQ(projects.error().message(), "the user said stop");
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(10));
}

TEST_F(DepotApi, FinishBuildIsTriedAsLongAsItMayBe) {
  FailFirst("FinishBuild", 6, Busy);
  Result<> told = api_->FinishBuild(build_, Outcome::kError, "it broke", Cancel::Never());
  EXPECT_TRUE(told) << told.error().message();
  SeenRequest request = server_.seen("FinishBuild").at(6).request;
  EXPECT_EQ(request.headers["authorization"], "Bearer build-token");
  cli::FinishBuildRequest message;
  ASSERT_TRUE(message.ParseFromString(request.body));
  EXPECT_EQ(message.build_id(), "b1");
  EXPECT_EQ(message.error().error(), "it broke");
}

TEST_F(DepotApi, TheLastReasonIsToldWhenTimeIsUpInTheMiddleOfATry) {
  auto tries = std::make_shared<std::atomic<int>>(0);
  server_.On("FinishBuild", [tries](Connection& connection, const SeenRequest& request) {
    if (tries->fetch_add(1) < 2) return Busy(connection, request);
    connection.cancel().SleepFor(std::chrono::minutes(1));
  });
  const auto told =
      api_->FinishBuild(build_, Outcome::kSuccess, "",
                        Cancel::Never().WithTimeout(std::chrono::seconds(3), "telling"));
  ASSERT_FALSE(told);
  EXPECT_NE(told.error().message().find("try later"), std::string::npos) << told.error().message();
}

TEST_F(DepotApi, GetMachineWaitsOrGivesTheMachine) {
  cli::GetBuildKitConnectionResponse answer;
  answer.mutable_pending()->set_wait_ms(1);
  server_.On("GetBuildKitConnection",
             [&](Connection& c, const SeenRequest&) { Answer(c, answer.SerializeAsString()); });
  auto machine = api_->GetMachine(build_, {"linux", "arm64", ""}, Cancel::Never());
  ASSERT_TRUE(machine) << machine.error().message();
  EXPECT_EQ(std::get<Pending>(*machine).wait, milliseconds(100)) << "no busy loop";
  cli::GetBuildKitConnectionRequest request;
  ASSERT_TRUE(request.ParseFromString(server_.seen().at(0).request.body));
  EXPECT_EQ(request.platform(), cli::BUILDER_PLATFORM_ARM64);

  auto& active = *answer.mutable_active();
  active.set_endpoint("tcp://10.0.0.1:8372");
  active.set_server_name("name");
  active.mutable_cert()->set_cert("C");
  active.mutable_cert()->set_key("K");
  active.mutable_ca_cert()->set_cert("A");
  machine = api_->GetMachine(build_, {"linux", "amd64", ""}, Cancel::Never());
  ASSERT_TRUE(machine) << machine.error().message();
  const Machine& got = std::get<Machine>(*machine);
  EXPECT_EQ(got.endpoint, "tcp://10.0.0.1:8372");
  EXPECT_EQ(got.server_name, "name");
  EXPECT_EQ(got.ca_pem + got.certificate_pem, "AC");
  EXPECT_EQ(got.key_pem.Reveal(), "K");

  answer.Clear();
  EXPECT_FALSE(api_->GetMachine(build_, {"linux", "amd64", ""}, Cancel::Never()));
  machine = api_->GetMachine(build_, {"linux", "s390x", ""}, Cancel::Never());
  EXPECT_EQ(machine.error().code(), ErrorCode::kUnsupported);
}

TEST_F(DepotApi, WhatAPoolSaysOfItsChoiceIsPassedOn) {
  cli::GetBuildKitConnectionResponse answer;
  answer.mutable_pending()->set_wait_ms(1);
  server_.On("GetBuildKitConnection", [&](Connection& c, const SeenRequest&) {
    c.Reply(200, answer.SerializeAsString(),
            "Content-Type: application/proto\r\nDepot-Pool-Queue: position=3\r\n"
            "Depot-Pool-Reason: a home may be soon\r\n");
  });
  auto machine = api_->GetMachine(build_, {"linux", "amd64", ""}, Cancel::Never());
  ASSERT_TRUE(machine) << machine.error().message();
  EXPECT_EQ(std::get<Pending>(*machine).reason, "position 3 in the queue: a home may be soon");
  answer.mutable_active()->set_endpoint("tcp://10.0.0.1:8372");
  machine = api_->GetMachine(build_, {"linux", "amd64", ""}, Cancel::Never());
  ASSERT_TRUE(machine) << machine.error().message();
  EXPECT_EQ(std::get<Machine>(*machine).reason, "a home may be soon");
}

TEST_F(DepotApi, WhatAPoolSaysIsBoundedAndPrintable) {
  const std::string much = Cat("\x1b[31m", std::string(9'000, 'x'));
  cli::GetBuildKitConnectionResponse answer;
  answer.mutable_pending()->set_wait_ms(1);
  cli::ReportBuildHealthResponse cancels;
  cancels.mutable_cancels_at()->set_seconds(77);
  const std::string headers =
      Cat("Content-Type: application/proto\r\nDepot-Pool-Queue: position=", much,
          "\r\nDepot-Pool-Reason: ", much, "\r\nDepot-Pool-Barred: ", much, "\r\n");
  server_.On("GetBuildKitConnection", [&](Connection& c, const SeenRequest&) {
    c.Reply(200, answer.SerializeAsString(), headers);
  });
  server_.On("ReportBuildHealth", [&](Connection& c, const SeenRequest&) {
    c.Reply(200, cancels.SerializeAsString(), headers);
  });
  const Platform amd64{"linux", "amd64", ""};
  std::vector<std::string> texts;
  texts.push_back(std::get<Pending>(*api_->GetMachine(build_, amd64, Cancel::Never())).reason);
  answer.mutable_active()->set_endpoint("tcp://10.0.0.1:8372");
  texts.push_back(std::get<Machine>(*api_->GetMachine(build_, amd64, Cancel::Never())).reason);
  auto order = api_->ReportHealth(build_, amd64, Cancel::Never());
  ASSERT_TRUE(order && *order);
  texts.push_back((*order)->barred);
  texts.push_back((*order)->reason);
  for (const std::string& text : texts) {
    EXPECT_NE(text.find("xxx"), std::string::npos);
    EXPECT_LT(text.size(), 700U);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
  }
}

TEST_F(DepotApi, AHealthReportIsOneAttempt) {
  server_.On("ReportBuildHealth", Busy);
  EXPECT_FALSE(api_->ReportHealth(build_, {"linux", "amd64", ""}, Cancel::Never()));
  EXPECT_EQ(server_.seen().size(), 1U);
  cli::ReportBuildHealthResponse answer;
  answer.mutable_cancels_at()->set_seconds(77);
  server_.On("ReportBuildHealth",
             [&](Connection& c, const SeenRequest&) { Answer(c, answer.SerializeAsString()); });
  auto health = api_->ReportHealth(build_, {"linux", "amd64", ""}, Cancel::Never());
  ASSERT_TRUE(health && *health);
  EXPECT_EQ((*health)->at, 77);
  EXPECT_EQ((*health)->barred, "");
}

TEST_F(DepotApi, StepsGoAsOneEnvelopeOfAClientStream) {
  Result<> told = api_->ReportSteps(
      build_, {{"sha256:1", "launching", 1'500'000'000, 2'000'000'000, "bad"}}, Cancel::Never());
  ASSERT_TRUE(told) << told.error().message();
  SeenRequest request = server_.seen().at(0).request;
  EXPECT_EQ(request.target, "/depot.cli.v1.BuildService/ReportStatusStream");
  EXPECT_EQ(request.headers["content-type"], "application/connect+proto");
  ASSERT_GT(request.body.size(), 5U);
  EXPECT_EQ(request.body, Frame(0, request.body.substr(5)));
  cli::ReportStatusStreamRequest message;
  ASSERT_TRUE(message.ParseFromString(request.body.substr(5)));
  const auto& vertex = message.statuses(0).vertexes(0);
  EXPECT_EQ(vertex.name(), "launching");
  EXPECT_EQ(vertex.started().seconds(), 1);
  EXPECT_EQ(vertex.started().nanos(), 500'000'000);
  EXPECT_EQ(vertex.error(), "bad");
}

TEST_F(DepotApi, AStreamThatEndsInAnErrorFails) {
  server_.On("ReportStatusStream", [](Connection& connection, const SeenRequest&) {
    AnswerStream(connection, Frame(2, R"({"error":{"code":"not_found","message":"no build"}})"));
  });
  Result<> told = api_->ReportSteps(build_, {}, Cancel::Never());
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code(), ErrorCode::kNotFound);
  for (const std::string& body : {std::string("x"), Frame(1, "zipped"), Frame(2, "no json"),
                                  Frame(2, "{}"), Frame(0, "").substr(0, 3), std::string()}) {
    server_.On("ReportStatusStream",
               [&](Connection& c, const SeenRequest&) { AnswerStream(c, body); });
    EXPECT_FALSE(api_->ReportSteps(build_, {}, Cancel::Never())) << Hex(body);
  }
}

TEST_F(DepotApi, ALoginIsApprovedLate) {
  account::FinishLoginResponse approved;
  approved.set_token("new-token");
  const std::string frame = Frame(0, approved.SerializeAsString());
  server_.On("FinishLogin", [&](Connection& connection, const SeenRequest& request) {
    EXPECT_FALSE(request.headers.contains("authorization"));
    connection.Write(
        "HTTP/1.1 200 OK\r\nContent-Type: application/connect+proto\r\n"
        "Transfer-Encoding: chunked\r\n\r\n");
    for (char byte : frame) {
      Cancel::Never().SleepFor(milliseconds(10));
      connection.Write(Cat("1\r\n", byte, "\r\n"));
    }
    connection.StaySilent();  // the end need not come
  });
  auto token = logins_->Finish({"l1", ""}, Cancel::Never());
  ASSERT_TRUE(token) << token.error().message();
  EXPECT_EQ(token->Reveal(), "new-token");
}

TEST_F(DepotApi, ALoginWhoseLongWaitIsCutIsWaitedForAgain) {
  Times times = test::ShortTimes();
  times.login_cut = milliseconds(50);
  Connect(times, server_.Url());
  account::FinishLoginResponse approved;
  approved.set_token("new-token");
  std::atomic<int> cuts{7};
  server_.On("FinishLogin", [&](Connection& connection, const SeenRequest&) {
    if (cuts-- <= 0) return AnswerStream(connection, Frame(0, approved.SerializeAsString()));
    Cancel::Never().SleepFor(milliseconds(20));
    connection.HangUp();
  });
  auto token = logins_->Finish({"l1", ""}, Cancel::Never());
  ASSERT_TRUE(token) << token.error().message();
  EXPECT_EQ(token->Reveal(), "new-token");
}

TEST_F(DepotApi, ALoginThatNobodyApprovesEnds) {
  Times times = test::ShortTimes();
  times.login = milliseconds(200);
  Connect(times, server_.Url());
  server_.On("FinishLogin", [&](Connection& c, const SeenRequest&) { c.StaySilent(); });
  auto token = logins_->Finish({"l1", ""}, Cancel::Never());
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().message(), "timed out: nobody approved the login");
}

TEST_F(DepotApi, ALoginThatIsRefusedIsAnError) {
  server_.On("FinishLogin", [&](Connection& connection, const SeenRequest&) {
    AnswerStream(connection, Frame(2, R"({"error":{"code":"permission_denied"}})"));
  });
  auto token = logins_->Finish({"l1", ""}, Cancel::Never());
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code(), ErrorCode::kDenied);
}

TEST_F(DepotApi, ListsBuilds) {
  cli::ListBuildsResponse answer;
  auto& build = *answer.add_builds();
  build.set_id("b7");
  build.set_status(cli::BUILD_STATUS_FAILED);
  build.mutable_created_at()->set_seconds(100);
  answer.set_next_page_token("next");
  server_.On("ListBuilds",
             [&](Connection& c, const SeenRequest&) { Answer(c, answer.SerializeAsString()); });
  auto page = api_->ListBuilds(token_, "p1", 20, "", Cancel::Never());
  ASSERT_TRUE(page) << page.error().message();
  EXPECT_EQ(page->builds.at(0).status, "failed");
  EXPECT_EQ(page->builds.at(0).created_at, 100);
  EXPECT_EQ(page->builds.at(0).finished_at, 0);
  EXPECT_EQ(page->next_page, "next");
}

TEST_F(DepotApi, ABuildThatWasNotSavedIsKnownAsSuch) {
  cli::GetPullInfoResponse answer;
  answer.set_reference("r/x:1");
  auto* options = answer.add_options();
  server_.On("GetPullInfo",
             [&](Connection& c, const SeenRequest&) { Answer(c, answer.SerializeAsString()); });
  EXPECT_FALSE(api_->GetPullInfo(token_, "b1", Cancel::Never())->saved);
  options->set_save(true);
  EXPECT_TRUE(api_->GetPullInfo(token_, "b1", Cancel::Never())->saved);
}

TEST_F(DepotApi, TheAddressMustKeepTheTokenSecret) {
  auto make = [&](const std::string& url) { return MakeApi(*client_, url, [](std::string) {}); };
  for (const char* url : {"https://api.example", "https://api.example:8443/base/",
                          "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"}) {
    EXPECT_TRUE(make(url)) << url;
  }
  for (const char* url : {"http://api.example", "ftp://x", "", "https://", "https://x?token=s3cr3t",
                          "https://user:s3cr3t@x", "https://x/a b", "http://127.0.0.1.example"}) {
    auto api = make(url);
    ASSERT_FALSE(api) << url;
    EXPECT_EQ(api.error().code(), ErrorCode::kInvalid);
    EXPECT_EQ(api.error().message().find("s3cr3t"), std::string::npos) << api.error().message();
  }
}

}  // namespace
}  // namespace depot::api::api_test
