#include "driver/solve/resume.h"

#include <atomic>
#include <map>
#include <mutex>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "proto/control.pb.h"
#include "proto/gateway.pb.h"

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/rpc/channel.h"

namespace depot::solve::resume_test {
namespace {

namespace control = moby::buildkit::v1;

class KeepingSink final : public EventSink {
 public:
  void Emit(Event event) override {
    std::lock_guard lock(mutex_);
    if (auto* notice = std::get_if<Notice>(&event)) said_.push_back(std::move(notice->text));
    if (auto* vertex = std::get_if<Vertex>(&event)) ends_[vertex->digest] = vertex->error;
  }
  std::vector<std::string> said() {
    std::lock_guard lock(mutex_);
    return said_;
  }
  bool Knows(const std::string& digest) {
    std::lock_guard lock(mutex_);
    return ends_.contains(digest);
  }
  /// What was said last of a step: how it ended.
  std::string EndOf(const std::string& digest) {
    std::lock_guard lock(mutex_);
    return ends_[digest];
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> said_;
  std::map<std::string, std::string> ends_;
};

/// A builder that can be connected to again, and whose every solve a test decides, by its number.
class ResumeTest : public ::testing::Test, public builder::Builder {
 protected:
  /// What becomes of a solve: it answers with this, or the connection dies.
  using Answer = std::function<rpc::Status(control::SolveResponse& response)>;

  ResumeTest() {
    features_.history = true;
    AddSolve();
    table_.Add("/moby.buildkit.v1.Control/Session",
               [](rpc::ServerCall& call, const Cancel& cancel) -> rpc::Status {
                 while (true) {
                   auto message = call.Read(cancel);
                   if (!message || !*message) return {};
                 }
               });
    table_.Add("/moby.buildkit.v1.Control/Status",
               [this](rpc::ServerCall& call, const Cancel& cancel) -> rpc::Status {
                 control::StatusResponse status;
                 status.add_vertexes()->set_digest("open");
                 status.mutable_vertexes(0)->mutable_started()->set_seconds(1);
                 (void)call.Write({rpc::Bytes(status.SerializeAsString())}, cancel);
                 ++told_;
                 return {};
               });
    table_.Add("/moby.buildkit.v1.Control/ListenBuildHistory",
               [this](rpc::ServerCall& call, const Cancel& cancel) -> rpc::Status {
                 auto asked = call.Read(cancel);
                 control::BuildHistoryRequest request;
                 if (!asked || !*asked || !request.ParseFromString(**asked)) return {};
                 if (!record_ || record_->ref() != request.ref()) return {};
                 control::BuildHistoryEvent event;
                 *event.mutable_record() = *record_;
                 (void)call.Write({rpc::Bytes(event.SerializeAsString())}, cancel);
                 return {};
               });
    for (const char* method : {"Solve", "Return"}) {
      table_.Add(std::string("/moby.buildkit.v1.frontend.LLBBridge/") + method,
                 rpc::UnaryHandler([this, method](const rpc::Metadata&, const std::string&,
                                                  std::string&, const Cancel&) {
                   if (method == std::string_view("Return")) ++returned_;
                   return rpc::Status{};
                 }));
    }
    Connect();
    request_.exporters.push_back({"image", {{"name", "r.example/a"}, {"push", "true"}}});
  }

  ~ResumeTest() override { channel().Close(Error(ErrorCode::kCancelled, "test")); }

  void AddSolve() {
    table_.Add(
        "/moby.buildkit.v1.Control/Solve",
        rpc::UnaryHandler([this](const rpc::Metadata&, const std::string& text,
                                 std::string& response, const Cancel& cancel) -> rpc::Status {
          control::SolveRequest request;
          (void)request.ParseFromString(text);
          refs_.push_back(request.ref());
          cached_.push_back(request.frontend_attrs().count("no-cache") == 0);
          // The steps are done, as the frontend has returned; and the client has heard of them.
          const int number = static_cast<int>(refs_.size());
          while ((returned_ < number || told_ < number || !sink_.Knows("open")) &&
                 cancel.SleepFor(std::chrono::milliseconds(1))) {
          }
          control::SolveResponse solved;
          const Answer& answer = answers_.at(refs_.size() - 1);
          if (!answer) channel().Close(Error(ErrorCode::kUnavailable, "connection reset"));
          if (!answer) return {};
          rpc::Status status = answer(solved);
          response = solved.SerializeAsString();
          return status;
        }));
  }

  void Connect() {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    server_.Start("server", [this, socket = fds[1]](const Cancel& cancel) {
      (void)rpc::Serve(rpc::MakeSocketStream(Fd(socket)), table_, cancel);
      return Result<>();
    });
    std::lock_guard lock(mutex_);
    channels_.push_back(rpc::MakeChannel(rpc::MakeSocketStream(Fd(fds[0])), "localhost"));
  }

  rpc::Channel& channel() override {
    std::lock_guard lock(mutex_);
    return *channels_.back();
  }
  Result<> Reconnect(const Cancel& cancel) override {
    if (channel().Alive()) return {};
    TRY(reconnect_(cancel));
    Connect();
    return {};
  }
  const builder::Features& features() const override { return features_; }
  const std::string& endpoint() const override { return endpoint_; }

  SolveOutcome Run(int retries = 3, const Cancel& cancel = Cancel::Never()) {
    Solving solving{this, &request_, "ref", &services_, &faults_, &sink_};
    solving.retries.most = retries;
    solving.start_over = [this](const std::string& ref) -> Result<> {
      started_over_.push_back(ref);
      return start_over_;
    };
    solving.delivered = [this] { return delivered_; };
    return SolveToEnd(solving, cancel);
  }

  static Answer Names(const std::string& name) {
    return [name](control::SolveResponse& response) -> rpc::Status {
      (*response.mutable_exporter_response())["image.name"] = name;
      return {};
    };
  }

  static Answer Fails(const std::string& message) {
    return [message](control::SolveResponse&) -> rpc::Status {
      return {rpc::Code::kUnknown, message, ""};
    };
  }

  void RecordEnd(const std::string& image) {
    record_.emplace();
    record_->set_ref("ref");
    record_->mutable_completed_at()->set_seconds(1);
    (*record_->mutable_exporter_response())["image.name"] = image;
    (*record_->mutable_exporter_response())["containerimage.digest"] = "sha256:1";
  }

  static const Answer kDies;

  std::vector<Answer> answers_;
  std::optional<control::BuildHistoryRecord> record_;
  std::function<Result<>(const Cancel&)> reconnect_ = [](const Cancel&) { return Result<>(); };
  Result<> start_over_;
  bool delivered_ = true;
  std::vector<std::string> refs_;
  std::vector<bool> cached_;  // of each: steps may come from the cache
  std::vector<std::string> started_over_;
  std::atomic<int> returned_{0};
  std::atomic<int> told_{0};
  BuildRequest request_;
  rpc::ServiceTable services_;
  session::Faults faults_;
  KeepingSink sink_;
  rpc::ServiceTable table_;
  builder::Features features_;
  std::string endpoint_ = "tcp://builder:1";
  std::mutex mutex_;
  std::vector<std::unique_ptr<rpc::Channel>> channels_;
  TaskGroup server_{Cancel::Never()};
};

const ResumeTest::Answer ResumeTest::kDies;

TEST_F(ResumeTest, ALostSolveBeginsAgainUnderARefOfItsOwn) {
  answers_ = {kDies, Names("a")};
  const SolveOutcome outcome = Run();
  ASSERT_TRUE(std::holds_alternative<BuildResult>(outcome));
  EXPECT_EQ(std::get<BuildResult>(outcome).exporter_response.at("image.name"), "a");
  EXPECT_EQ(std::get<BuildResult>(outcome).ref, "ref-2");
  EXPECT_EQ(refs_, (std::vector<std::string>{"ref", "ref-2"}));
  EXPECT_EQ(started_over_, std::vector<std::string>{"ref-2"});
  const auto said = sink_.said();
  ASSERT_EQ(said.size(), 2U);
  EXPECT_TRUE(
      said[0].starts_with("WARNING: lost the builder tcp://builder:1 after 0 s: connection reset; "
                          "connecting again in "))
      << said[0];
  EXPECT_TRUE(said[0].ends_with(" (try 1 of 3)")) << said[0];
  EXPECT_EQ(said[1],
            "connected to tcp://builder:1 again: building once more, what was built comes from the "
            "cache");
}

TEST_F(ResumeTest, WhatTheBuilderRecordedAsDoneIsNotBuiltAgain) {
  answers_ = {kDies};
  RecordEnd("recorded");
  const SolveOutcome outcome = Run();
  ASSERT_TRUE(std::holds_alternative<BuildResult>(outcome));
  EXPECT_EQ(std::get<BuildResult>(outcome).exporter_response.at("image.name"), "recorded");
  EXPECT_EQ(refs_.size(), 1U);
  EXPECT_TRUE(started_over_.empty());
}

TEST_F(ResumeTest, StepsThatWereLostAreShownAsCancelled) {
  answers_ = {kDies};
  RecordEnd("recorded");
  ASSERT_TRUE(std::holds_alternative<BuildResult>(Run()));
  EXPECT_EQ(sink_.EndOf("open"), "context canceled");
}

TEST_F(ResumeTest, ARecordedResultThatDidNotArriveIsMadeAgain) {
  answers_ = {kDies, Names("a")};
  RecordEnd("recorded");
  delivered_ = false;
  const SolveOutcome outcome = Run();
  ASSERT_TRUE(std::holds_alternative<BuildResult>(outcome));
  EXPECT_EQ(std::get<BuildResult>(outcome).exporter_response.at("image.name"), "a");
}

TEST_F(ResumeTest, ARecordThatKnowsNoImageIsNotBelieved) {
  answers_ = {kDies, Names("a")};
  RecordEnd("recorded");
  record_->mutable_exporter_response()->erase("containerimage.digest");
  const SolveOutcome outcome = Run();
  ASSERT_TRUE(std::holds_alternative<BuildResult>(outcome));
  EXPECT_EQ(std::get<BuildResult>(outcome).exporter_response.at("image.name"), "a");
}

TEST_F(ResumeTest, AStepThatFailedByItselfIsNotRunAgain) {
  answers_ = {kDies};
  control::frontend::Status failure;
  failure.set_code(static_cast<int>(rpc::Code::kUnknown));
  failure.set_message("process \"/bin/sh -c false\" did not complete successfully: exit code: 7");
  RecordEnd("");
  record_->set_error(failure.SerializeAsString());
  const SolveOutcome outcome = Run();
  ASSERT_TRUE(std::holds_alternative<Failed>(outcome));
  EXPECT_EQ(std::get<Failed>(outcome).error.step_exit(), 7);
  EXPECT_EQ(refs_.size(), 1U);
}

TEST_F(ResumeTest, AFailureThatCameOfTheLossIsNoFailureOfTheBuild) {
  answers_ = {kDies, Names("a")};
  control::frontend::Status failure;
  failure.set_code(static_cast<int>(rpc::Code::kCancelled));
  failure.set_message("did not complete successfully: exit code: 137: context canceled");
  RecordEnd("");
  record_->set_error(failure.SerializeAsString());
  EXPECT_TRUE(std::holds_alternative<BuildResult>(Run()));
}

TEST_F(ResumeTest, AFailedBuildIsNotBuiltAgain) {
  answers_ = {Fails("did not complete successfully: exit code: 1")};
  const SolveOutcome outcome = Run();
  ASSERT_TRUE(std::holds_alternative<Failed>(outcome));
  EXPECT_EQ(refs_.size(), 1U);
  EXPECT_TRUE(sink_.said().empty());
}

TEST_F(ResumeTest, WithoutRetriesALossIsTheEnd) {
  answers_ = {kDies};
  const SolveOutcome outcome = Run(0);
  ASSERT_TRUE(std::holds_alternative<Lost>(outcome));
  EXPECT_EQ(std::get<Lost>(outcome).error.hint().find("tried"), std::string::npos);
  EXPECT_TRUE(sink_.said().empty());
}

TEST_F(ResumeTest, ABuilderThatIsAlwaysLostIsGivenUp) {
  answers_ = {kDies, kDies};
  const SolveOutcome outcome = Run(1);
  ASSERT_TRUE(std::holds_alternative<Lost>(outcome));
  const Error& error = std::get<Lost>(outcome).error;
  EXPECT_TRUE(error.message().starts_with("lost the builder tcp://builder:1")) << error.message();
  EXPECT_TRUE(error.hint().starts_with("tried again 1 time; ")) << error.hint();
  EXPECT_EQ(error.at(), FailedAt::kBuilderLost);
}

TEST_F(ResumeTest, WhatWasTriedAtLastIsInTheError) {
  answers_ = {kDies};
  reconnect_ = [](const Cancel&) -> Result<> {
    return Fail(ErrorCode::kUnavailable, "builder tcp://builder:1: connection refused");
  };
  const SolveOutcome outcome = Run(2);
  ASSERT_TRUE(std::holds_alternative<Lost>(outcome));
  EXPECT_TRUE(std::get<Lost>(outcome).error.hint().starts_with(
      "tried again 2 times, at last: builder tcp://builder:1: connection refused; "))
      << std::get<Lost>(outcome).error.hint();
  EXPECT_EQ(sink_.said().size(), 2U);
}

TEST_F(ResumeTest, ABuilderThatRefusesUsIsNotAskedAgain) {
  answers_ = {kDies};
  int asked = 0;
  reconnect_ = [&](const Cancel&) -> Result<> {
    ++asked;
    return Fail(ErrorCode::kDenied, "the certificate has expired");
  };
  EXPECT_TRUE(std::holds_alternative<Lost>(Run()));
  EXPECT_EQ(asked, 1);
}

TEST_F(ResumeTest, ABuilderThatWasTakenFromUsStaysSo) {
  answers_ = {kDies};
  reconnect_ = [](const Cancel&) -> Result<> {
    return Fail(ErrorCode::kFailed, "the Depot API cancelled the build");
  };
  const SolveOutcome outcome = Run();
  ASSERT_TRUE(std::holds_alternative<Failed>(outcome));
  EXPECT_EQ(std::get<Failed>(outcome).error.message(), "the Depot API cancelled the build");
}

TEST_F(ResumeTest, AResultThatCannotBeTakenBackIsNotSentTwice) {
  answers_ = {kDies};
  start_over_ = Fail(ErrorCode::kFailed, "standard output has a part of the result already");
  const SolveOutcome outcome = Run();
  ASSERT_TRUE(std::holds_alternative<Lost>(outcome));
  EXPECT_TRUE(std::get<Lost>(outcome).error.hint().starts_with(
      "it cannot begin again, since standard output has a part of the result already; "))
      << std::get<Lost>(outcome).error.hint();
  EXPECT_EQ(refs_.size(), 1U);
}

TEST_F(ResumeTest, APushThatFailedInPassingIsMadeAgain) {
  answers_ = {Fails("failed to push r.example/a: unexpected status: 503 Service Unavailable"),
              Names("a")};
  const SolveOutcome outcome = Run();
  ASSERT_TRUE(std::holds_alternative<BuildResult>(outcome));
  EXPECT_EQ(started_over_, std::vector<std::string>{"ref-2"});
  const auto said = sink_.said();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_NE(said[0].find("503 Service Unavailable; pushing again in "), std::string::npos);
}

TEST_F(ResumeTest, WhyAPushFailsIsSaidOnce) {
  const auto refused = Fails("failed to push r.example/a: connect: connection refused");
  answers_ = {refused, refused, refused, Names("a")};
  ASSERT_TRUE(std::holds_alternative<BuildResult>(Run()));
  const auto said = sink_.said();
  ASSERT_EQ(said.size(), 3U);
  EXPECT_NE(said[0].find("connection refused; pushing again in "), std::string::npos) << said[0];
  for (const std::string& later : {said[1], said[2]})
    EXPECT_TRUE(later.starts_with("WARNING: the push failed again; pushing again in ")) << later;
}

TEST_F(ResumeTest, ALayerThatIsGoneTwiceIsBuiltWithoutTheCache) {
  const auto gone =
      Fails("failed to commit a to b during finalize: snapshot a does not exist: not found");
  answers_ = {gone, gone, Names("a")};
  ASSERT_TRUE(std::holds_alternative<BuildResult>(Run()));
  EXPECT_EQ(cached_, (std::vector<bool>{true, true, false}));
  const auto said = sink_.said();
  ASSERT_EQ(said.size(), 2U);
  EXPECT_NE(said[0].find("; pushing again in "), std::string::npos) << said[0];
  EXPECT_TRUE(said[1].ends_with("; the builder's cache is damaged: building again without it"))
      << said[1];
}

TEST_F(ResumeTest, ADamagedCacheCostsOneMoreBuildHoweverMuchWasLost) {
  const auto gone =
      Fails("failed to commit a to b during finalize: snapshot a does not exist: not found");
  answers_ = {kDies, gone, kDies, gone, Names("a")};
  ASSERT_TRUE(std::holds_alternative<BuildResult>(Run()));
  EXPECT_EQ(cached_, (std::vector<bool>{true, true, true, true, false}));
}

TEST_F(ResumeTest, ALayerThatIsGoneWithoutTheCacheTooIsTheEnd) {
  const auto gone =
      Fails("failed to commit a to b during finalize: snapshot a does not exist: not found");
  answers_ = {kDies, kDies, gone, gone, gone};
  const SolveOutcome outcome = Run();
  ASSERT_TRUE(std::holds_alternative<Failed>(outcome));
  EXPECT_EQ(std::get<Failed>(outcome).error.hint(), "tried again 3 times");
}

TEST_F(ResumeTest, APushThatFailedForRightsIsNot) {
  answers_ = {Fails("failed to push r.example/a: unexpected status: 403 Forbidden")};
  EXPECT_TRUE(std::holds_alternative<Failed>(Run()));
  EXPECT_EQ(refs_.size(), 1U);
}

TEST_F(ResumeTest, ACancelEndsItWhileItWaits) {
  answers_ = {kDies, kDies};
  CancelSource user;
  TaskGroup later(Cancel::Never());
  later.Start("later", [&](const Cancel&) -> Result<> {
    while (sink_.said().empty())
      Cancel::Never().SleepFor(std::chrono::milliseconds(1));
    user.Request(Error(ErrorCode::kCancelled, "cancelled (test)"));
    return {};
  });
  const SolveOutcome outcome = Run(3, user.cancel());
  ASSERT_TRUE(std::holds_alternative<Failed>(outcome));
  EXPECT_EQ(std::get<Failed>(outcome).error.code(), ErrorCode::kCancelled);
  (void)later.Wait();
}

TEST_F(ResumeTest, ACancelEndsItWhileItConnects) {
  answers_ = {kDies, kDies};
  CancelSource user;
  reconnect_ = [&](const Cancel& cancel) -> Result<> {
    user.Request(Error(ErrorCode::kCancelled, "cancelled (test)"));
    while (cancel.SleepFor(std::chrono::hours(1))) {
    }
    return Fail(cancel.error());
  };
  const SolveOutcome outcome = Run(3, user.cancel());
  ASSERT_TRUE(std::holds_alternative<Failed>(outcome));
  EXPECT_EQ(std::get<Failed>(outcome).error.code(), ErrorCode::kCancelled);
}

}  // namespace
}  // namespace depot::solve::resume_test
