#include "driver/depot/hosted_build.h"

#include <atomic>

#include <gtest/gtest.h>

#include "proto/control.pb.h"
#include "proto/depot.pb.h"

#include "driver/base/text.h"
#include "driver/depot/machine.h"
#include "driver/depot/open_hosted_build.h"
#include "driver/rpc/server.h"
#include "tests/unit/depot/fake_api.h"
#include "tests/unit/http/certificates.h"

namespace depot::api::hosted_build_test {
namespace {

namespace cli = ::depot::cli::v1;
using test::Answer;
using test::Clock;
using test::Connection;
using test::milliseconds;
using test::SeenRequest;

const Platform kAmd64{"linux", "amd64", ""};

/// A daemon with one worker on a loopback port, which refuses connections until Listen().
class FakeMachine {
 public:
  FakeMachine() {
    table_.Add("/moby.buildkit.v1.Control/ListWorkers",
               rpc::UnaryHandler([this](const rpc::Metadata&, const std::string&,
                                        std::string& response, const Cancel&) {
                 if (gone_) return rpc::Status{rpc::Code::kUnimplemented, "nobody here", "", true};
                 moby::buildkit::v1::ListWorkersResponse workers;
                 workers.add_record();
                 response = workers.SerializeAsString();
                 return rpc::Status{};
               }));
    socket_.Reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    (void)::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size);
    (void)::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }

  void Listen() {
    (void)::listen(socket_.get(), 16);
    threads_.Start("accept", [this](const Cancel& cancel) -> Result<> {
      while (WaitForFd(socket_.get(), POLLIN, cancel)) {
        auto fd = std::make_shared<Fd>(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        threads_.Start("serve", [this, fd](const Cancel& stop) -> Result<> {
          (void)rpc::Serve(rpc::MakeSocketStream(std::move(*fd)), table_, stop);
          return {};
        });
      }
      return {};
    });
  }

  /// From now on something else answers at its address.
  void Go() { gone_ = true; }

  std::string url() const { return Cat("tcp://127.0.0.1:", port_); }

 private:
  rpc::ServiceTable table_;
  std::atomic<bool> gone_{false};
  Fd socket_;
  int port_ = 0;
  TaskGroup threads_{Cancel::Never()};
};

class HostedBuildTest : public testing::Test, protected test::WithFakeApi {
 protected:
  HostedBuildTest() { HandOut(machine_.url()); }

  void HandOut(const std::string& endpoint) {
    cli::GetBuildKitConnectionResponse answer;
    answer.mutable_active()->set_endpoint(endpoint);
    HandOut(answer);
  }
  void HandOut(const cli::GetBuildKitConnectionResponse& answer) {
    server_.On("GetBuildKitConnection",
               [bytes = answer.SerializeAsString()](Connection& c, const SeenRequest&) {
                 Answer(c, bytes);
               });
  }

  std::unique_ptr<HostedBuild> Hold(const Times& times = test::ShortTimes(), bool ours = true) {
    CreatedBuild created{"b1", Secret("build-token"), "p1", "", {}, {}};
    return OpenHostedBuild(std::shared_ptr<BuildRecord>(new BuildRecord{
                               *api_, std::move(created), sink_, user_.cancel(), times}),
                           ours);
  }

  Result<std::unique_ptr<builder::Builder>> Acquire(HostedBuild& build) {
    return build.driver().Acquire(kAmd64, sink_, user_.cancel());
  }

  /// What the API was told of the end: "success", "error: TEXT" or "canceled", joined by commas.
  std::string Told() const {
    std::vector<std::string> told;
    for (const auto& seen : server_.seen("FinishBuild")) {
      cli::FinishBuildRequest message;
      EXPECT_TRUE(message.ParseFromString(seen.request.body));
      told.push_back(message.has_success()    ? "success"
                     : message.has_canceled() ? "canceled"
                                              : "error: " + message.error().error());
    }
    return Join(told, ",");
  }

  /// The cancel time that health reports answer from now on; 0 = none.
  void CancelsAt(std::int64_t seconds) {
    cli::ReportBuildHealthResponse answer;
    if (seconds != 0) answer.mutable_cancels_at()->set_seconds(seconds);
    server_.On("ReportBuildHealth", [bytes = answer.SerializeAsString()](
                                        Connection& c, const SeenRequest&) { Answer(c, bytes); });
  }

  std::map<std::string, Vertex> Steps() const {
    std::map<std::string, Vertex> steps;
    for (const Vertex& vertex : sink_.Of<Vertex>())
      steps[vertex.name] = vertex;
    return steps;
  }

  std::string Logs() const {
    std::string text;
    for (const VertexLog& log : sink_.Of<VertexLog>())
      text += log.data;
    return text;
  }

  FakeMachine machine_;
  CancelSource user_;
  test::KeepingSink sink_;
};

TEST_F(HostedBuildTest, WaitsForAMachineConnectsAndTellsOfIt) {
  machine_.Listen();
  std::atomic<int> asked{0};
  cli::GetBuildKitConnectionResponse pending;
  pending.mutable_pending()->set_wait_ms(100);
  cli::GetBuildKitConnectionResponse active;
  active.mutable_active()->set_endpoint(machine_.url());
  server_.On("GetBuildKitConnection", [&](Connection& c, const SeenRequest&) {
    Answer(c, (asked++ < 2 ? pending : active).SerializeAsString());
  });
  auto build = Hold();
  auto builder = Acquire(*build);
  ASSERT_TRUE(builder) << builder.error().message();
  EXPECT_EQ((*builder)->endpoint(), machine_.url());
  EXPECT_EQ(asked, 3);
  EXPECT_TRUE((*builder)->channel().Alive());
  auto steps = Steps();
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_TRUE(steps["[depot] launching amd64 machine"].completed);
  EXPECT_TRUE(steps["[depot] connecting to amd64 machine"].completed);
  EXPECT_EQ(Logs(),
            "waiting for the Depot API to hand out a machine\n"
            "the connection to this machine is not encrypted\n");

  EXPECT_TRUE(build->Finish(nullptr));
  EXPECT_TRUE(build->Finish(nullptr));
  build.reset();
  EXPECT_EQ(Told(), "success");
  std::map<std::string, bool> reported;
  for (const auto& seen : server_.seen("ReportStatusStream")) {
    cli::ReportStatusStreamRequest message;
    ASSERT_TRUE(message.ParseFromString(seen.request.body.substr(5)));
    for (const auto& vertex : message.statuses(0).vertexes())
      reported[vertex.name()] = vertex.has_completed();
  }
  EXPECT_EQ(reported, (std::map<std::string, bool>{{"[depot] launching amd64 machine", true},
                                                   {"[depot] connecting to amd64 machine", true}}));
}

TEST_F(HostedBuildTest, AMachineThatIsLostComesBackOrIsReplaced) {
  machine_.Listen();
  FakeMachine other;
  other.Listen();
  auto build = Hold();
  auto builder = Acquire(*build);
  ASSERT_TRUE(builder) << builder.error().message();
  const std::size_t asked = server_.seen("GetBuildKitConnection").size();
  const Error lost(ErrorCode::kUnavailable, "cut");
  (*builder)->channel().Close(lost);
  ASSERT_TRUE((*builder)->Reconnect(user_.cancel()));
  EXPECT_EQ(server_.seen("GetBuildKitConnection").size(), asked) << "the machine is still there";

  machine_.Go();
  HandOut(other.url());
  (*builder)->channel().Close(lost);
  Result<> connected = (*builder)->Reconnect(user_.cancel());
  ASSERT_TRUE(connected) << connected.error().message();
  EXPECT_TRUE((*builder)->channel().Alive());
  EXPECT_EQ((*builder)->endpoint(), other.url());
  const auto notices = sink_.Of<Notice>();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].text.find("amd64 machine does not come back: "), std::string::npos);
  cli::GetBuildKitConnectionRequest message;
  ASSERT_TRUE(message.ParseFromString(server_.seen("GetBuildKitConnection").back().request.body));
  EXPECT_EQ(message.build_id(), "b1");
}

TEST_F(HostedBuildTest, SeveralPlatformsAreAcquiredAtOnce) {
  machine_.Listen();
  auto build = Hold();
  TaskGroup group(Cancel::Never());
  for (const char* cpu : {"amd64", "arm64"}) {
    group.Start(cpu, [&, cpu](const Cancel& cancel) -> Result<> {
      TRY_ASSIGN(auto builder, build->driver().Acquire(Platform{"linux", cpu, ""}, sink_, cancel));
      return builder->channel().Alive();
    });
  }
  Result<> acquired = group.Wait();
  EXPECT_TRUE(acquired) << acquired.error().message();
  EXPECT_EQ(Steps().size(), 4U);
}

TEST_F(HostedBuildTest, ABuilderOutlivesTheCancelItWasAcquiredWith) {
  machine_.Listen();
  auto build = Hold();
  Result<std::unique_ptr<builder::Builder>> builder = nullptr;
  {
    CancelSource acquiring(user_.cancel());
    builder = build->driver().Acquire(kAmd64, sink_, acquiring.cancel());
    ASSERT_TRUE(builder) << builder.error().message();
    acquiring.Request(Error(ErrorCode::kCancelled, "no longer needed"));
  }
  EXPECT_TRUE(server_.WaitFor("ReportBuildHealth", server_.seen("ReportBuildHealth").size() + 3));
  EXPECT_TRUE((*builder)->channel().Alive());
}

TEST_F(HostedBuildTest, HealthIsReportedWhileTheBuilderIsHeldAndNoLonger) {
  machine_.Listen();
  auto build = Hold();
  auto builder = Acquire(*build);
  ASSERT_TRUE(builder) << builder.error().message();
  EXPECT_TRUE(server_.WaitFor("ReportBuildHealth", 5)) << "this thread does nothing else";
  cli::ReportBuildHealthRequest message;
  ASSERT_TRUE(message.ParseFromString(server_.seen("ReportBuildHealth").at(0).request.body));
  EXPECT_EQ(message.build_id(), "b1");
  EXPECT_EQ(message.platform(), cli::BUILDER_PLATFORM_AMD64);
  builder->reset();
  const std::size_t count = server_.seen("ReportBuildHealth").size();
  Cancel::Never().SleepFor(milliseconds(400));
  EXPECT_LE(server_.seen("ReportBuildHealth").size(), count + 1) << "one may have been under way";
}

TEST_F(HostedBuildTest, HealthThatIsNotHeardOfIsSaidOnceAndWhenItIsOver) {
  machine_.Listen();
  server_.On("ReportBuildHealth", [](Connection& connection, const SeenRequest&) {
    test::Refuse(connection, 500, "internal", "oops");
  });
  auto build = Hold();
  auto builder = Acquire(*build);
  ASSERT_TRUE(builder) << builder.error().message();
  auto wait_for_notices = [&](std::size_t count) {
    for (int i = 0; i < 3000 && sink_.Of<Notice>().size() < count; ++i)
      Cancel::Never().SleepFor(milliseconds(10));
  };
  wait_for_notices(1);
  server_.WaitFor("ReportBuildHealth", server_.seen("ReportBuildHealth").size() + 5);
  auto notices = sink_.Of<Notice>();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_NE(notices[0].text.find("oops"), std::string::npos) << notices[0].text;
  CancelsAt(0);
  wait_for_notices(2);
  notices = sink_.Of<Notice>();
  ASSERT_EQ(notices.size(), 2U);
  EXPECT_EQ(notices[1].text, "the Depot API hears again that this build is alive");
}

TEST_F(HostedBuildTest, ABuildThatTheApiCancelsLosesItsConnectionWithTheReason) {
  machine_.Listen();
  CancelsAt(4'000'000'000);  // in 2096
  auto build = Hold();
  auto builder = Acquire(*build);
  ASSERT_TRUE(builder) << builder.error().message();
  EXPECT_TRUE(server_.WaitFor("ReportBuildHealth", 3));
  EXPECT_TRUE((*builder)->channel().Alive());
  CancelsAt(1);
  for (int i = 0; i < 3000 && (*builder)->channel().Alive(); ++i)
    Cancel::Never().SleepFor(milliseconds(10));
  Result<> alive = (*builder)->channel().Alive();
  ASSERT_FALSE(alive);
  EXPECT_EQ(alive.error().message(), "the Depot API cancelled the build");
  EXPECT_TRUE(build->Finish(&alive.error()));
  EXPECT_EQ(Told(), "canceled");
}

TEST_F(HostedBuildTest, ABuildThatTheApiCancelsWaitsForNoMachine) {
  cli::GetBuildKitConnectionResponse pending;
  pending.mutable_pending()->set_wait_ms(30'000);
  HandOut(pending);
  CancelsAt(1);
  auto build = Hold();
  auto builder = Acquire(*build);
  ASSERT_FALSE(builder);
  EXPECT_EQ(builder.error().message(), "the Depot API cancelled the build");
  EXPECT_EQ(builder.error().at(), FailedAt::kEnded);
}

TEST_F(HostedBuildTest, ABuildThatIsCancelledInTheQueueIsNoLackOfBuilders) {
  cli::ReportBuildHealthResponse cancels;
  cancels.mutable_cancels_at()->set_seconds(4'000'000'000);  // the clock there may be another one
  server_.On("ReportBuildHealth", [&](Connection& c, const SeenRequest&) {
    c.Reply(200, cancels.SerializeAsString(),
            "Content-Type: application/proto\r\n"
            "Depot-Pool-Reason: an administrator of the pool cancelled it\r\n");
  });
  server_.On("GetBuildKitConnection", [](Connection& c, const SeenRequest&) {
    test::Refuse(c, 400, "failed_precondition", "build b1 was cancelled");
  });
  auto build = Hold();
  auto builder = Acquire(*build);
  ASSERT_FALSE(builder);
  EXPECT_EQ(builder.error().message(),
            "the Depot API cancelled the build: an administrator of the pool cancelled it");
  EXPECT_EQ(builder.error().at(), FailedAt::kEnded);
  EXPECT_TRUE(build->Finish(&builder.error()));
  EXPECT_EQ(Told(), "canceled");
}

TEST_F(HostedBuildTest, ARefusalOfABuildThatMayGoOnStaysWhatItIs) {
  CancelsAt(4'000'000'000);  // its time is over then
  server_.On("GetBuildKitConnection", [](Connection& c, const SeenRequest&) {
    test::Refuse(c, 400, "failed_precondition", "the pool has no builder of linux/amd64");
  });
  auto build = Hold();
  auto builder = Acquire(*build);
  ASSERT_FALSE(builder);
  EXPECT_NE(builder.error().message().find("has no builder of linux/amd64"), std::string::npos);
  EXPECT_EQ(builder.error().at(), FailedAt::kUnsaid);
  EXPECT_TRUE(build->Finish(&builder.error()));
  EXPECT_EQ(Told().find("error: "), 0U) << Told();
}

TEST_F(HostedBuildTest, ATokenThatIsRevokedInTheQueueIsALoginAndNoLackOfBuilders) {
  cli::GetBuildKitConnectionResponse pending;
  pending.mutable_pending()->set_wait_ms(30'000);
  HandOut(pending);
  cli::ReportBuildHealthResponse cancels;
  cancels.mutable_cancels_at()->set_seconds(1);
  server_.On("ReportBuildHealth", [&](Connection& c, const SeenRequest&) {
    c.Reply(200, cancels.SerializeAsString(),
            "Content-Type: application/proto\r\n"
            "Depot-Pool-Barred: the token shop was revoked\r\n");
  });
  auto build = Hold();
  auto builder = Acquire(*build);
  ASSERT_FALSE(builder);
  EXPECT_EQ(builder.error().message(),
            "the Depot API cancelled the build: the token shop was revoked");
  EXPECT_EQ(builder.error().at(), FailedAt::kAuthentication);
}

TEST_F(HostedBuildTest, TheEndIsToldOnANewConnectionWhenTheKeptOneIsDead) {
  std::atomic<int> asked = 0;
  server_.On("FinishBuild", [&](Connection& c, const SeenRequest&) {
    if (++asked == 1) return c.StaySilent();
    Answer(c, "");
  });
  Times times = test::ShortTimes();
  times.finish = milliseconds(2'000);
  auto build = Hold(times);
  EXPECT_TRUE(build->Finish(nullptr));
  EXPECT_EQ(asked, 2);
  EXPECT_NE(said_.text().find("no answer within 1 s: trying again at once"), std::string::npos)
      << said_.text();
}

TEST_F(HostedBuildTest, ACancelIsToldAtOnceWhateverElseIsGoingOn) {
  auto build = Hold();
  user_.Request(Error(ErrorCode::kCancelled, "build cancelled (SIGTERM)"));
  EXPECT_TRUE(server_.WaitFor("FinishBuild", 1)) << "nobody called Finish()";
  Error error(ErrorCode::kCancelled, "build cancelled (SIGTERM)");
  EXPECT_TRUE(build->Finish(&error));
  build.reset();
  EXPECT_EQ(Told(), "canceled");
}

TEST_F(HostedBuildTest, AfterACancelAHangingApiIsNotWaitedForLongerThanTwoSeconds) {
  server_.On("FinishBuild", [](Connection& c, const SeenRequest&) { c.StaySilent(); });
  auto build = Hold();
  const auto start = Clock::now();
  user_.Request(Error(ErrorCode::kCancelled, "stop"));
  Error error(ErrorCode::kCancelled, "stop");
  EXPECT_FALSE(build->Finish(&error));
  build.reset();
  const auto took = Clock::now() - start;
  EXPECT_GE(took, milliseconds(1900));
  EXPECT_LT(took, milliseconds(8000));
}

TEST_F(HostedBuildTest, ACancelHurriesWhatWasBegunInPeace) {
  server_.On("FinishBuild", [](Connection& c, const SeenRequest&) { c.StaySilent(); });
  Times times = test::ShortTimes();
  times.finish = milliseconds(60'000);
  times.finish_cancelled = milliseconds(100);
  auto build = Hold(times);
  TaskGroup group(Cancel::Never());
  group.Start("cancel", [&](const Cancel&) -> Result<> {
    server_.WaitFor("FinishBuild", 1);
    user_.Request(Error(ErrorCode::kCancelled, "stop"));
    return {};
  });
  const auto start = Clock::now();
  EXPECT_FALSE(build->Finish(nullptr));
  EXPECT_LT(Clock::now() - start, milliseconds(8000));
}

TEST_F(HostedBuildTest, TheErrorIsBoundedAndHoldsNoPassword) {
  auto build = Hold();
  Error error(ErrorCode::kFailed,
              Cat("push to https://user:s3cr3t@r/x failed\n", std::string(10'000, 'x')));
  EXPECT_TRUE(build->Finish(&error));
  const std::string told = Told();
  EXPECT_EQ(told.find("error: push to https://xxxxx:xxxxx@r/x failed?xxx"), 0U) << told;
  EXPECT_EQ(told.find("s3cr3t"), std::string::npos);
  EXPECT_LE(told.size(), 4200U);
}

TEST_F(HostedBuildTest, WithoutFinishItWasCancelled) {
  Hold().reset();
  EXPECT_EQ(Told(), "canceled");
}

TEST_F(HostedBuildTest, HowAnExistingBuildEndsIsForItsMakerToSay) {
  cli::GetBuildResponse answer;
  answer.set_project_id("p7");
  server_.On("GetBuild",
             [&](Connection& c, const SeenRequest&) { Answer(c, answer.SerializeAsString()); });
  BuildDescription description;
  description.save = true;
  description.save_tags = {"v1"};
  auto build = StartHostedBuild(*api_, {Secret("user-token"), "DEPOT_TOKEN"}, description, "b9",
                                sink_, user_.cancel());
  ASSERT_TRUE(build) << build.error().message();
  EXPECT_EQ((*build)->created().project, "p7");
  EXPECT_EQ((*build)->created().token.Reveal(), "user-token");
  ASSERT_EQ((*build)->created().tags.size(), 2U);
  EXPECT_EQ((*build)->created().tags[1].name, "registry.depot.dev/p7:v1");
  EXPECT_TRUE((*build)->Finish(nullptr));
  build->reset();
  EXPECT_EQ(server_.seen("FinishBuild").size() + server_.seen("CreateBuild").size(), 0U);
}

TEST_F(HostedBuildTest, AMachineThatIsStillStartingIsWaitedFor) {
  TaskGroup group(Cancel::Never());
  group.Start("start", [&](const Cancel&) -> Result<> {
    for (int i = 0; i < 3000 && Logs().find("refused") == std::string::npos; ++i)
      Cancel::Never().SleepFor(milliseconds(10));
    machine_.Listen();
    return {};
  });
  auto build = Hold();
  auto builder = Acquire(*build);
  EXPECT_TRUE(builder) << builder.error().message();
  EXPECT_NE(Logs().find("refused"), std::string::npos) << Logs();
}

TEST_F(HostedBuildTest, AMachineThatIsNotReachedIsAskedForAgain) {
  FakeMachine silent;
  cli::GetBuildKitConnectionResponse first;
  cli::GetBuildKitConnectionResponse second;
  first.mutable_active()->set_endpoint(silent.url());
  second.mutable_active()->set_endpoint(machine_.url());
  std::atomic<int> asked{0};
  server_.On("GetBuildKitConnection", [&](Connection& c, const SeenRequest&) {
    Answer(c, (asked++ == 0 ? first : second).SerializeAsString());
  });
  machine_.Listen();
  Times times = test::ShortTimes();
  times.machine_fresh = milliseconds(100);
  auto build = Hold(times);
  auto builder = Acquire(*build);
  ASSERT_TRUE(builder) << builder.error().message();
  EXPECT_EQ((*builder)->endpoint(), machine_.url());
  EXPECT_GE(asked, 2);
}

TEST_F(HostedBuildTest, AnApiThatIsAwayLosesNoPlaceInTheQueue) {
  cli::GetBuildKitConnectionResponse wait;
  cli::GetBuildKitConnectionResponse active;
  wait.mutable_pending()->set_wait_ms(10);
  active.mutable_active()->set_endpoint(machine_.url());
  std::atomic<int> asked{0};
  server_.On("GetBuildKitConnection", [&](Connection& c, const SeenRequest&) {
    const int number = asked++;
    if (number == 0) return Answer(c, wait.SerializeAsString());
    if (number < 10) return test::Refuse(c, 503, "unavailable", "the database is away");
    Answer(c, active.SerializeAsString());
  });
  machine_.Listen();
  auto build = Hold();
  auto builder = Acquire(*build);
  ASSERT_TRUE(builder) << builder.error().message();
  EXPECT_EQ(asked, 11);
  EXPECT_NE(Logs().find("the place in the queue is kept"), std::string::npos) << Logs();
}

TEST_F(HostedBuildTest, AnApiThatStaysAwayIsNotAskedForEver) {
  cli::GetBuildKitConnectionResponse wait;
  wait.mutable_pending()->set_wait_ms(10);
  std::atomic<int> asked{0};
  server_.On("GetBuildKitConnection", [&](Connection& c, const SeenRequest&) {
    if (asked++ == 0) return Answer(c, wait.SerializeAsString());
    test::Refuse(c, 503, "unavailable", "the database is away");
  });
  Times times = test::ShortTimes();
  times.api_away = milliseconds(300);
  auto build = Hold(times);
  auto builder = Acquire(*build);
  ASSERT_FALSE(builder);
  EXPECT_NE(builder.error().message().find("the database is away"), std::string::npos);
  EXPECT_GT(asked, 5);
}

TEST_F(HostedBuildTest, AMachineThatRefusesIsAskedForAgainAndAnotherOneWaitedFor) {
  cli::GetBuildKitConnectionResponse dead;
  cli::GetBuildKitConnectionResponse wait;
  cli::GetBuildKitConnectionResponse other;
  dead.mutable_active()->set_endpoint(FakeMachine().url());
  wait.mutable_pending()->set_wait_ms(100);
  other.mutable_active()->set_endpoint(machine_.url());
  std::atomic<int> asked{0};
  server_.On("GetBuildKitConnection", [&](Connection& c, const SeenRequest&) {
    const int number = asked++;
    Answer(c, (number == 0 ? dead : number < 3 ? wait : other).SerializeAsString());
  });
  machine_.Listen();
  auto build = Hold();
  auto builder = Acquire(*build);
  ASSERT_TRUE(builder) << builder.error().message();
  EXPECT_EQ((*builder)->endpoint(), machine_.url());
  EXPECT_EQ(asked, 4);
  EXPECT_NE(Logs().find("has taken this machine back"), std::string::npos) << Logs();
}

TEST_F(HostedBuildTest, AMachineThatNeverAnswersIsGivenUp) {
  Times times = test::ShortTimes();
  times.connecting = milliseconds(300);
  auto build = Hold(times);
  auto builder = Acquire(*build);
  ASSERT_FALSE(builder);
  EXPECT_EQ(builder.error().code(), ErrorCode::kTimeout);
  EXPECT_NE(builder.error().message().find("the amd64 machine cannot be reached"),
            std::string::npos)
      << builder.error().message();
  EXPECT_NE(Steps()["[depot] connecting to amd64 machine"].error, "");
}

class MachineTls : public HostedBuildTest {
 protected:
  MachineTls() { authority_.Issue("client", "DNS:client"); }

  Machine Whole() const {
    return {"tcp://10.1.2.3:8372", "", authority_.Pem("ca.pem"), authority_.Pem("client.pem"),
            Secret(authority_.Pem("client.key"))};
  }

  test::TestAuthority authority_;
};

TEST_F(MachineTls, ARefusalIsFinal) {
  test::TestAuthority other;
  other.Issue("server", "IP:127.0.0.1");
  test::TestServer server([](Connection& c) { c.StaySilent(); },
                          test::ServerTls{other.path("server.pem"), other.path("server.key"), ""});
  cli::GetBuildKitConnectionResponse answer;
  auto& active = *answer.mutable_active();
  active.set_endpoint(Cat("tcp://127.0.0.1:", server.port()));
  active.mutable_ca_cert()->set_cert(Whole().ca_pem);
  active.mutable_cert()->set_cert(Whole().certificate_pem);
  active.mutable_cert()->set_key(std::string(Whole().key_pem.Reveal()));
  HandOut(answer);
  auto build = Hold();
  auto builder = Acquire(*build);
  ASSERT_FALSE(builder);
  EXPECT_EQ(builder.error().code(), ErrorCode::kDenied) << builder.error().message();
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(MachineTls, WholeMaterialMakesAnEndpoint) {
  auto endpoint = MachineEndpoint(Whole());
  ASSERT_TRUE(endpoint) << endpoint.error().message();
  EXPECT_TRUE(endpoint->tls);
  EXPECT_EQ(endpoint->tls_options.server_name, "10.1.2.3");
  EXPECT_EQ(endpoint->tls_options.alpn, "h2");
  Machine named = Whole();
  named.server_name = "builder";
  EXPECT_EQ(MachineEndpoint(named)->tls_options.server_name, "builder");
}

TEST_F(MachineTls, BrokenMaterialIsAnErrorAndNeverPlaintext) {
  std::vector<Machine> broken(5, Whole());
  broken[0].ca_pem = "";
  broken[1].certificate_pem = "";
  broken[2].key_pem = Secret();
  broken[3].key_pem = Secret("-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n");
  broken[4].ca_pem = "nonsense";
  for (const Machine& machine : broken) {
    auto endpoint = MachineEndpoint(machine);
    ASSERT_FALSE(endpoint);
    EXPECT_EQ(endpoint.error().code(), ErrorCode::kInvalid);
    EXPECT_NE(endpoint.error().message().find("TLS material"), std::string::npos)
        << endpoint.error().message();
  }
}

TEST(MachineEndpoint, IsTcpAlone) {
  for (const char* url : {"unix:///run/buildkit/buildkitd.sock", "tcp://host", "tcp://host:0", "",
                          "tcp://h:1?cacert=/etc/shadow", "tcp://user@h:1", "tcp://h:1/../x",
                          "ssh://h:1", "docker-container://x", "tcp://h:1\n"}) {
    Machine machine;
    machine.endpoint = url;
    auto endpoint = MachineEndpoint(machine);
    ASSERT_FALSE(endpoint) << url;
    EXPECT_EQ(endpoint.error().code(), ErrorCode::kInvalid);
  }
}

TEST(MachinePlatform, IsTheOneThatRunsItNatively) {
  const std::map<std::string, std::string> natives = {{"linux/amd64", "linux/amd64"},
                                                      {"linux/386", "linux/amd64"},
                                                      {"linux/arm64", "linux/arm64"},
                                                      {"linux/arm/v7", "linux/arm64"}};
  for (const auto& [wanted, native] : natives) {
    EXPECT_EQ(FormatPlatform(*MachinePlatform(*ParsePlatform(wanted))), native);
  }
  EXPECT_TRUE(MachinePlatform(std::nullopt));
  auto none = MachinePlatform(*ParsePlatform("linux/s390x"));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace depot::api::hosted_build_test
