#include "driver/solve/fan_out.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "proto/control.pb.h"

#include "driver/base/task_group.h"
#include "driver/rpc/channel.h"

namespace depot::solve::fan_out_test {
namespace {

class NoSink final : public EventSink {
 public:
  void Emit(Event /*event*/) override {}
};

/// A builder whose Control.Solve is what a test makes of it.
class FakeBuilder final : public builder::Builder {
 public:
  using SolveHandler = std::function<rpc::Status(std::string& response, const Cancel& cancel)>;

  explicit FakeBuilder(SolveHandler solve) {
    table_.Add("/moby.buildkit.v1.Control/Session", StayOpen);
    table_.Add("/moby.buildkit.v1.Control/Status",
               [](rpc::ServerCall&, const Cancel&) { return rpc::Status{}; });
    table_.Add(
        "/moby.buildkit.v1.Control/Solve",
        rpc::UnaryHandler([solve](const rpc::Metadata&, const std::string&, std::string& response,
                                  const Cancel& cancel) { return solve(response, cancel); }));
    for (const char* method : {"Solve", "Return"}) {
      table_.Add(std::string("/moby.buildkit.v1.frontend.LLBBridge/") + method,
                 rpc::UnaryHandler([](const rpc::Metadata&, const std::string&, std::string&,
                                      const Cancel&) { return rpc::Status{}; }));
    }
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    channel_ = rpc::MakeChannel(rpc::MakeSocketStream(Fd(fds[0])), "localhost");
    server_.Start("server", [this, socket = fds[1]](const Cancel& cancel) {
      (void)rpc::Serve(rpc::MakeSocketStream(Fd(socket)), table_, cancel);
      return Result<>();
    });
  }

  ~FakeBuilder() override { channel_->Close(Error(ErrorCode::kCancelled, "test")); }

  rpc::Channel& channel() override { return *channel_; }
  Result<> Reconnect(const Cancel& /*cancel*/) override { return channel_->Alive(); }
  const builder::Features& features() const override { return features_; }
  const std::string& endpoint() const override { return endpoint_; }

  Solving With(EventSink& sink) { return {this, &request_, "", &services_, &faults_, &sink}; }

  session::Faults& faults() { return faults_; }

 private:
  static rpc::Status StayOpen(rpc::ServerCall& call, const Cancel& cancel) {
    while (true) {
      auto message = call.Read(cancel);
      if (!message || !*message) return {};
    }
  }

  BuildRequest request_;
  rpc::ServiceTable services_;
  session::Faults faults_;
  rpc::ServiceTable table_;
  builder::Features features_;
  std::string endpoint_ = "tcp://builder:1";
  std::unique_ptr<rpc::Channel> channel_;
  TaskGroup server_{Cancel::Never()};
};

FakeBuilder::SolveHandler Names(const std::string& image) {
  return [image](std::string& response, const Cancel&) -> rpc::Status {
    moby::buildkit::v1::SolveResponse solved;
    (*solved.mutable_exporter_response())["image.name"] = image;
    response = solved.SerializeAsString();
    return {};
  };
}

rpc::Status ForEver(std::string& /*response*/, const Cancel& cancel) {
  while (cancel.SleepFor(std::chrono::seconds(1))) {
  }
  return {rpc::Code::kCancelled, "context canceled", ""};
}

FakeBuilder::SolveHandler Fails(const std::string& message) {
  return [message](std::string&, const Cancel&) -> rpc::Status {
    return {rpc::Code::kUnknown, message, ""};
  };
}

class SolveAllTest : public ::testing::Test {
 protected:
  Result<std::vector<BuildResult>> Run(FakeBuilder& first,
                                       FakeBuilder& second,
                                       const Cancel& cancel = Cancel::Never()) {
    return SolveAll({first.With(sink_), second.With(sink_)}, cancel);
  }

  NoSink sink_;
};

TEST_F(SolveAllTest, GivesTheResultsInTheOrderOfTheSolves) {
  FakeBuilder first(Names("a"));
  FakeBuilder second(Names("b"));
  auto results = Run(first, second);
  ASSERT_TRUE(results) << results.error().message();
  ASSERT_EQ(results->size(), 2u);
  EXPECT_EQ((*results)[0].exporter_response.at("image.name"), "a");
  EXPECT_EQ((*results)[1].exporter_response.at("image.name"), "b");
}

TEST_F(SolveAllTest, OneThatFailsEndsTheOtherAndIsTheOneReported) {
  FakeBuilder endless(ForEver);
  FakeBuilder broken(Fails("no space left"));
  auto begin = Cancel::Clock::now();
  auto results = Run(endless, broken);
  ASSERT_FALSE(results);
  EXPECT_NE(results.error().message().find("no space left"), std::string::npos)
      << results.error().message();
  EXPECT_LT(Cancel::Clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(SolveAllTest, ACancelEndsAll) {
  FakeBuilder first(ForEver);
  FakeBuilder second(ForEver);
  CancelSource user;
  TaskGroup later(Cancel::Never());
  later.Start("later", [&](const Cancel& cancel) {
    cancel.SleepFor(std::chrono::milliseconds(100));
    user.Request(Error(ErrorCode::kCancelled, "build cancelled (test)"));
    return Result<>();
  });
  auto results = Run(first, second, user.cancel());
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().code(), ErrorCode::kCancelled);
}

TEST_F(SolveAllTest, OurOwnFailureIsReportedNotTheBuildersEchoOfIt) {
  FakeBuilder endless(ForEver);
  FakeBuilder broken(Fails("error from receiver"));
  broken.faults().Record(Error(ErrorCode::kFailed, "the disk is full"));
  auto results = Run(endless, broken);
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().message(), "the disk is full");
}

TEST_F(SolveAllTest, WhatWentWrongAtTheOtherBuilderWhileItWasStoppedIsNotReported) {
  FakeBuilder stopped(ForEver);
  stopped.faults().Record(Error(ErrorCode::kFailed, "the archive broke off"));
  FakeBuilder broken(Fails("exit code: 7"));
  auto results = Run(stopped, broken);
  ASSERT_FALSE(results);
  EXPECT_NE(results.error().message().find("exit code: 7"), std::string::npos)
      << results.error().message();
}

}  // namespace
}  // namespace depot::solve::fan_out_test
