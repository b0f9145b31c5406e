#include "driver/solve/solve.h"

#include <atomic>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "proto/control.pb.h"

#include "driver/base/task_group.h"
#include "driver/rpc/channel.h"

namespace depot::solve::solve_test {
namespace {

namespace control = moby::buildkit::v1;

/// Counts the vertices that were told.
class CountingSink final : public EventSink {
 public:
  void Emit(Event event) override {
    if (std::holds_alternative<Vertex>(event)) ++vertices;
  }
  std::atomic<int> vertices{0};
};

/// A builder whose Control.Solve, Control.Session and LLBBridge.Return are what a test makes of
/// them.
class SolveTest : public ::testing::Test, public builder::Builder {
 protected:
  SolveTest() {
    table_.Add(
        "/moby.buildkit.v1.Control/Session",
        [this](rpc::ServerCall& call, const Cancel& cancel) { return session_(call, cancel); });
    table_.Add("/moby.buildkit.v1.Control/Status",
               [](rpc::ServerCall& call, const Cancel& cancel) -> rpc::Status {
                 control::StatusResponse status;
                 status.add_vertexes()->set_digest("sha256:1");
                 (void)call.Write({rpc::Bytes(status.SerializeAsString())}, cancel);
                 return {};
               });
    table_.Add(
        "/moby.buildkit.v1.Control/Solve",
        rpc::UnaryHandler([this](const rpc::Metadata&, const std::string&, std::string& response,
                                 const Cancel& cancel) { return solve_(response, cancel); }));
    for (const char* method : {"Solve", "Return"}) {
      table_.Add(std::string("/moby.buildkit.v1.frontend.LLBBridge/") + method,
                 rpc::UnaryHandler([this, method](const rpc::Metadata&, const std::string&,
                                                  std::string&, const Cancel&) {
                   if (method == std::string_view("Return")) {
                     returned_.Request(Error(ErrorCode::kCancelled, "the frontend has returned"));
                   }
                   return rpc::Status{};
                 }));
    }
    channel_ = Connect();
  }

  std::unique_ptr<rpc::Channel> Connect() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    server_.Start("server", [this, socket = fds[1]](const Cancel& cancel) {
      (void)rpc::Serve(rpc::MakeSocketStream(Fd(socket)), table_, cancel);
      return Result<>();
    });
    return rpc::MakeChannel(rpc::MakeSocketStream(Fd(fds[0])), "localhost");
  }

  ~SolveTest() override { channel_->Close(Error(ErrorCode::kCancelled, "test")); }

  rpc::Channel& channel() override { return *channel_; }
  Result<> Reconnect(const Cancel& /*cancel*/) override { return channel_->Alive(); }
  const builder::Features& features() const override { return features_; }
  const std::string& endpoint() const override { return endpoint_; }

  /// The outcome without its kind, and the kind in lost_.
  Result<BuildResult> Run(const Cancel& cancel = Cancel::Never()) {
    SolveOutcome outcome = Solve(*this, request_, services_, faults_, sink_, cancel);
    lost_ = std::holds_alternative<Lost>(outcome);
    if (lost_) {
      EXPECT_FALSE(std::get<Lost>(outcome).ref.empty());
      return Fail(std::get<Lost>(outcome).error);
    }
    if (Failed* failed = std::get_if<Failed>(&outcome)) return Fail(failed->error);
    return std::get<BuildResult>(outcome);
  }

  /// Says nothing until the call or the server ends.
  static rpc::Status StayOpen(rpc::ServerCall& call, const Cancel& cancel) {
    while (true) {
      auto message = call.Read(cancel);
      if (!message || !*message) return {};
    }
  }

  static rpc::Status SolveForEver(std::string&, const Cancel& cancel) {
    while (cancel.SleepFor(std::chrono::seconds(1))) {
    }
    return {rpc::Code::kCancelled, "context canceled", ""};
  }

  std::function<rpc::Status(rpc::ServerCall&, const Cancel&)> session_ = StayOpen;
  std::function<rpc::Status(std::string&, const Cancel&)> solve_ = SolveForEver;
  BuildRequest request_;
  rpc::ServiceTable services_;
  session::Faults faults_;
  CountingSink sink_;
  CancelSource returned_;
  rpc::ServiceTable table_;
  builder::Features features_;
  std::string endpoint_ = "tcp://builder:1";
  bool lost_ = false;
  std::unique_ptr<rpc::Channel> channel_;
  TaskGroup server_{Cancel::Never()};
};

TEST_F(SolveTest, ReturnsWhatTheExportersSaid) {
  solve_ = [](std::string& response, const Cancel&) -> rpc::Status {
    control::SolveResponse solved;
    (*solved.mutable_exporter_response())["image.name"] = "a:b";
    response = solved.SerializeAsString();
    return {};
  };
  auto result = Run();
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->exporter_response["image.name"], "a:b");
  EXPECT_EQ(sink_.vertices, 1);
}

TEST_F(SolveTest, ABuildThatTheBuilderCancelsIsNotOneThatTheUserCancelled) {
  solve_ = [](std::string&, const Cancel&) -> rpc::Status {
    return {rpc::Code::kCancelled, "context canceled", ""};
  };
  auto result = Run();
  ASSERT_FALSE(result);
  EXPECT_TRUE(lost_) << "a builder that is being stopped";
  EXPECT_EQ(result.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(result.error().message().find("context canceled"), std::string::npos);
}

TEST_F(SolveTest, WhatTheBuilderCannotReachIsNoLostBuilder) {
  solve_ = [](std::string&, const Cancel&) -> rpc::Status {
    return {rpc::Code::kUnavailable, "the registry answered 503", "details"};
  };
  auto result = Run();
  ASSERT_FALSE(result);
  EXPECT_FALSE(lost_);
  EXPECT_EQ(result.error().code(), ErrorCode::kFailed);
}

TEST_F(SolveTest, AProxyThatHasNoBuilderBehindItIsALostBuilder) {
  solve_ = [](std::string&, const Cancel&) -> rpc::Status {
    return {rpc::Code::kUnavailable, "upstream connect error", ""};
  };
  auto result = Run();
  ASSERT_FALSE(result);
  EXPECT_TRUE(lost_);
}

TEST_F(SolveTest, AConnectionThatWeClosedForAReasonIsNoLostOne) {
  channel_->Close(Error(ErrorCode::kFailed, "the Depot API cancelled the build"));
  auto result = Run();
  ASSERT_FALSE(result);
  EXPECT_FALSE(lost_);
  EXPECT_EQ(result.error().message(), "the Depot API cancelled the build");
}

TEST_F(SolveTest, ASessionThatEndsWhileTheBuilderExportsIsALostBuilder) {
  session_ = [](rpc::ServerCall&, const Cancel&) -> rpc::Status {
    return {rpc::Code::kUnavailable, "session gone", ""};
  };
  auto result = Run();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(result.error().message(),
            "lost the builder tcp://builder:1 after 2 s: session with the builder: session gone");
}

TEST_F(SolveTest, ASessionThatTheBuilderCancelsIsNoCancelOfTheUsers) {
  session_ = [](rpc::ServerCall&, const Cancel&) -> rpc::Status {
    return {rpc::Code::kCancelled, "context canceled", ""};
  };
  auto result = Run();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(result.error().message(),
            "lost the builder tcp://builder:1 after 2 s: the builder ended the session");
}

TEST_F(SolveTest, CancelEndsABuildOnABuilderThatDoesNotCare) {
  CancelSource user;
  TaskGroup later(Cancel::Never());
  later.Start("later", [&](const Cancel& cancel) {
    cancel.SleepFor(std::chrono::milliseconds(100));
    user.Request(Error(ErrorCode::kCancelled, "build cancelled (test)"));
    return Result<>();
  });
  auto begin = Cancel::Clock::now();
  auto result = Run(user.cancel());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kCancelled);
  EXPECT_EQ(result.error().message(), "build cancelled (test)");
  EXPECT_LT(Cancel::Clock::now() - begin, std::chrono::seconds(3));
}

TEST_F(SolveTest, AfterAnErrorOfOurOwnASilentBuilderIsNotWaitedFor) {
  faults_.Record(Error(ErrorCode::kFailed, "the disk is full").WithHint("make room"));
  auto begin = Cancel::Clock::now();
  auto result = Run();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "the disk is full");
  EXPECT_EQ(result.error().hint(), "make room");
  EXPECT_LT(Cancel::Clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(SolveTest, ABuilderThatClaimsSuccessAfterAnErrorOfOursIsNotBelieved) {
  faults_.Record(Error(ErrorCode::kFailed, "the disk is full"));
  solve_ = [](std::string&, const Cancel&) { return rpc::Status{}; };
  auto result = Run();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "the disk is full");
}

TEST_F(SolveTest, ABuilderThatIsGoneAlreadyIsSaidAtOnce) {
  channel_->Close(Error(ErrorCode::kUnavailable, "connection reset"));
  auto begin = Cancel::Clock::now();
  auto result = Run();
  ASSERT_FALSE(result);
  EXPECT_TRUE(lost_);
  EXPECT_EQ(result.error().message(),
            "lost the builder tcp://builder:1 after 0 s: connection reset");
  EXPECT_LT(Cancel::Clock::now() - begin, std::chrono::seconds(2));
}

TEST_F(SolveTest, ALostBuilderMayHavePushed) {
  request_.exporters.push_back({"image", {{"name", "r.example/a"}, {"push", "true"}}});
  solve_ = [this](std::string&, const Cancel& cancel) {
    while (!returned_.cancel().cancelled() && cancel.SleepFor(std::chrono::milliseconds(1))) {
    }
    channel_->Close(Error(ErrorCode::kUnavailable, "connection reset"));
    return rpc::Status{};
  };
  auto result = Run();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(),
            "lost the builder tcp://builder:1 after 0 s: connection reset");
  EXPECT_NE(result.error().hint().find("the push may have happened"), std::string::npos);
}

TEST_F(SolveTest, ABuilderThatWasLostBeforeTheExportHasPushedNothing) {
  request_.exporters.push_back({"image", {{"name", "r.example/a"}, {"push", "true"}}});
  channel_->Close(Error(ErrorCode::kUnavailable, "connection reset"));
  auto result = Run();
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().hint().find("nothing was pushed"), std::string::npos);
}

}  // namespace
}  // namespace depot::solve::solve_test
