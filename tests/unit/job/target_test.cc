#include "plugin/job/target.h"

#include <gtest/gtest.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "driver/event/labelled_sink.h"
#include "driver/oci/digest.h"
#include "plugin/options/build_flags.h"
#include "tests/unit/files/temporary_tree.h"
#include "tests/unit/job/fake_buildkit.h"
#include "tests/unit/session/recording_sink.h"

namespace depot::job::target_test {
namespace {

using session::RecordingSink;
using Words = std::vector<std::string>;

/// A run on one builder of the user's own, which every target shares.
class TargetTest : public ::testing::Test {
 protected:
  TargetTest() {
    tree_.File("context/Dockerfile", "FROM scratch\n");
    globals_.config = tree_.At("config");
    EXPECT_TRUE(workshop_.ReadDocker());
  }

  options::BuildOptions Options(Words words) {
    words.insert(words.end(), {"--builder", builder_, "--no-preflight"});
    if (words.front() != "-") words.push_back(tree_.At("context"));
    auto options = options::ParseBuildFlags(words, "docker depot");
    if (options && *options) return **options;
    ADD_FAILURE() << (options ? "help" : options.error().message());
    return {};
  }

  std::unique_ptr<Job> Start(const options::BuildOptions& options) {
    choice::ChoiceFacts facts{
        options, environment_, workshop_.docker().engine, tree_.At("config"), {}};
    auto choice = choice::ChooseBuilder(facts, workshop_.http(), Cancel::Never());
    EXPECT_TRUE(choice);
    auto job = Job::Start(workshop_, *std::move(choice), {}, sink_, Cancel::Never());
    EXPECT_TRUE(job);
    return *std::move(job);
  }

  files::TemporaryTree tree_;
  test::FakeBuildkit buildkit_{tree_.At("buildkit.sock")};
  std::string builder_ = buildkit_.url();
  Environment environment_ = {{"TMPDIR", tree_.root()}};
  options::GlobalFlags globals_;
  Terminal terminal_;
  Streams streams_{terminal_};
  Workshop workshop_{environment_, globals_, "1"};
  RecordingSink sink_;
};

TEST_F(TargetTest, ComesFromOptionsToCommittedResults) {
  options::BuildOptions options = Options({"-o", "type=image,name=app", "--iidfile", tree_.At("id"),
                                           "--metadata-file", tree_.At("metadata")});
  Target target(options, workshop_, streams_);
  ASSERT_TRUE(target.Prepare(sink_, Cancel::Never()));
  auto job = Start(options);
  auto outcome = target.Build(*job, sink_, Cancel::Never());
  job->Finish(nullptr);
  ASSERT_TRUE(outcome) << outcome.error().message();
  EXPECT_EQ(outcome->image_id, DigestOf("app"));
  EXPECT_EQ(outcome->response.at("image.name"), "app");
  EXPECT_EQ(tree_.Read("id"), DigestOf("app"));
  EXPECT_NE(tree_.Read("metadata").find(DigestOf("app")), std::string::npos);
  EXPECT_EQ(sink_.notices(),
            std::vector<std::string>{Cat("building on ", buildkit_.url(), " (--builder)")});
}

TEST_F(TargetTest, TwoAreBuiltAtTheSameTimeOnOneBuilder) {
  // Neither ends unless both run.
  buildkit_.SolveTogether(2);
  const std::vector<std::string> names = {"one", "two"};
  std::vector<options::BuildOptions> options;
  std::vector<std::unique_ptr<Target>> targets;
  for (const std::string& name : names) {
    options.push_back(
        Options({"-o", Cat("type=image,name=", name), "--iidfile", tree_.At(Cat(name, ".id"))}));
  }
  for (const options::BuildOptions& one : options) {
    targets.push_back(std::make_unique<Target>(one, workshop_, streams_));
    ASSERT_TRUE(targets.back()->Prepare(sink_, Cancel::Never()));
  }
  auto job = Start(options.front());
  TaskGroup builds(Cancel::Never());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    builds.Start("target", [&, i](const Cancel& cancel) -> Result<> {
      auto sink = MakeLabelledSink(sink_, names[i]);
      TRY(targets[i]->Build(*job, *sink, cancel));
      return {};
    });
  }
  Result<> built = builds.Wait();
  job->Finish(nullptr);
  ASSERT_TRUE(built) << built.error().message();
  for (const std::string& name : names)
    EXPECT_EQ(tree_.Read(Cat(name, ".id")), DigestOf(name));
  EXPECT_EQ(buildkit_.connections(), 1);
}

TEST_F(TargetTest, TwoForTwoPlatformsAreBuiltAtTheSameTimeOnTwoBuilders) {
  test::FakeBuildkit arm64(tree_.At("arm64.sock"), "arm64");
  builder_ = Cat("linux/amd64=", buildkit_.url(), ",linux/arm64=", arm64.url());
  // No solve ends unless, on each builder, both targets' run.
  buildkit_.SolveTogether(2);
  arm64.SolveTogether(2);
  const options::BuildOptions options =
      Options({"-o", "type=cacheonly", "--platform", "linux/amd64,linux/arm64"});
  std::vector<std::unique_ptr<Target>> targets;
  for (int i = 0; i < 2; ++i) {
    targets.push_back(std::make_unique<Target>(options, workshop_, streams_));
    ASSERT_TRUE(targets.back()->Prepare(sink_, Cancel::Never()));
  }
  auto job = Start(options);
  TaskGroup builds(Cancel::Never());
  for (const auto& target : targets) {
    builds.Start("target", [&](const Cancel& cancel) -> Result<> {
      TRY(target->Build(*job, sink_, cancel));
      return {};
    });
  }
  Result<> built = builds.Wait();
  job->Finish(nullptr);
  ASSERT_TRUE(built) << built.error().message();
  EXPECT_EQ(buildkit_.connections(), 1);
  EXPECT_EQ(arm64.connections(), 1);
}

TEST_F(TargetTest, OneThatFailsLeavesNoResultAndTheOtherIsNotTouched) {
  buildkit_.FailFor("bad", "exit code: 7");
  options::BuildOptions bad =
      Options({"-o", "type=image,name=bad", "--iidfile", tree_.At("bad.id")});
  options::BuildOptions good =
      Options({"-o", "type=image,name=good", "--iidfile", tree_.At("good.id")});
  tree_.File("bad.id", "old");
  Target first(bad, workshop_, streams_);
  Target second(good, workshop_, streams_);
  ASSERT_TRUE(first.Prepare(sink_, Cancel::Never()));
  ASSERT_TRUE(second.Prepare(sink_, Cancel::Never()));
  auto job = Start(bad);
  auto failed = first.Build(*job, sink_, Cancel::Never());
  auto built = second.Build(*job, sink_, Cancel::Never());
  job->Finish(nullptr);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message().find("exit code: 7"), std::string::npos);
  EXPECT_FALSE(tree_.Exists("bad.id"));
  ASSERT_TRUE(built) << built.error().message();
  EXPECT_EQ(tree_.Read("good.id"), DigestOf("good"));
}

TEST_F(TargetTest, StandardInputIsForOneTarget) {
  options::BuildOptions with_dockerfile = Options({"-f", "-", "-o", "type=image,name=a"});
  ASSERT_TRUE(streams_.TakeInput());
  Target second(with_dockerfile, workshop_, streams_);
  Result<> prepared = second.Prepare(sink_, Cancel::Never());
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code(), ErrorCode::kUsage);
  EXPECT_NE(prepared.error().message().find("standard input"), std::string::npos);
}

TEST_F(TargetTest, StandardOutputIsForOneTarget) {
  options::BuildOptions archive = Options({"-o", "type=tar,dest=-"});
  ASSERT_TRUE(streams_.TakeOutput());
  Target second(archive, workshop_, streams_);
  ASSERT_TRUE(second.Prepare(sink_, Cancel::Never()));
  auto job = Start(archive);
  auto outcome = second.Build(*job, sink_, Cancel::Never());
  job->Finish(nullptr);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), ErrorCode::kUsage);
}

TEST_F(TargetTest, WhatIsWrongOnThisMachineIsSaidBeforeAnythingIsConnected) {
  options::BuildOptions options = Options({"--secret", "id=x,src=/nowhere", "-o", "type=image"});
  Target target(options, workshop_, streams_);
  EXPECT_FALSE(target.Prepare(sink_, Cancel::Never()));
  EXPECT_EQ(buildkit_.connections(), 0);
}

}  // namespace
}  // namespace depot::job::target_test
