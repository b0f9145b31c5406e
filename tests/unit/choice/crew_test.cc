#include "plugin/choice/crew.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "tests/unit/session/recording_sink.h"

namespace depot::choice::crew_test {
namespace {

using session::RecordingSink;

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", ""};
const Platform kS390x{"linux", "s390x", ""};

class FakeBuilder final : public builder::Builder {
 public:
  explicit FakeBuilder(std::vector<Platform> platforms) {
    features_.platforms = std::move(platforms);
  }
  rpc::Channel& channel() override { std::abort(); }
  Result<> Reconnect(const Cancel& /*cancel*/) override { return {}; }
  const builder::Features& features() const override { return features_; }
  const std::string& endpoint() const override { return endpoint_; }

 private:
  builder::Features features_;
  std::string endpoint_ = "tcp://builder:1";
};

/// Gives builders, and counts how often it was asked.
class FakeDriver final : public builder::Driver {
 public:
  explicit FakeDriver(std::vector<Platform> platforms) : platforms_(std::move(platforms)) {}

  Result<std::unique_ptr<builder::Builder>> Acquire(const std::optional<Platform>& platform,
                                                    EventSink&,
                                                    const Cancel& cancel) override {
    std::unique_lock lock(mutex_);
    asked_.push_back(platform ? FormatPlatform(*platform) : "any");
    changed_.notify_all();
    if (!cancel.Wait(lock, changed_, [this] { return open_; })) return Fail(cancel.error());
    if (failures_ > 0) {
      --failures_;
      return Fail(ErrorCode::kUnavailable, "refused");
    }
    return std::make_unique<FakeBuilder>(platforms_);
  }

  /// What was asked for so far.
  std::vector<std::string> asked() {
    std::lock_guard lock(mutex_);
    return asked_;
  }
  void WaitUntilAsked() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !asked_.empty(); });
  }
  void SetOpen(bool open) {
    std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  void FailOnce() { failures_ = 1; }

 private:
  const std::vector<Platform> platforms_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::string> asked_;
  bool open_ = true;
  int failures_ = 0;
};

TEST(Crew, ASingleBuilderSaysByItselfWhatItRuns) {
  RecordingSink sink;
  auto driver = std::make_shared<FakeDriver>(std::vector<Platform>{kAmd64, kArm64});
  Crew crew({{"tcp://one:1", {}, {}, driver}}, sink);
  auto all = crew.Assign({}, Emulation::kNever, Cancel::Never());
  ASSERT_TRUE(all) << all.error().message();
  EXPECT_TRUE(all->front().share.platforms.empty());
  EXPECT_FALSE(crew.Assign({kArm64}, Emulation::kNever, Cancel::Never()));
  auto emulated = crew.Assign({kArm64}, Emulation::kListed, Cancel::Never());
  ASSERT_TRUE(emulated);
  EXPECT_EQ(emulated->front().share.emulated, std::vector<Platform>{kArm64});
  EXPECT_EQ(sink.notices(), std::vector<std::string>{"linux/arm64 is emulated on tcp://one:1"});
  EXPECT_EQ(driver->asked(), std::vector<std::string>{"any"});
}

TEST(Crew, ABuilderThatListsNothingIsTakenAtTheUsersWord) {
  RecordingSink sink;
  Crew crew({{"one", {}, {}, std::make_shared<FakeDriver>(std::vector<Platform>{})}}, sink);
  auto assigned = crew.Assign({kS390x}, Emulation::kNever, Cancel::Never());
  ASSERT_TRUE(assigned);
  EXPECT_EQ(assigned->front().share.platforms, std::vector<Platform>{kS390x});
  EXPECT_TRUE(sink.notices().empty());
}

TEST(Crew, AMachineThatWasSaidToBeOneMaySayOtherwiseItself) {
  RecordingSink sink;
  auto driver = std::make_shared<FakeDriver>(std::vector<Platform>{kAmd64, kArm64});
  Crew crew({{"arm?", {kArm64}, {}, driver}}, sink);
  auto assigned = crew.Assign({kArm64}, Emulation::kNever, Cancel::Never());
  ASSERT_TRUE(assigned);
  EXPECT_EQ(assigned->front().share.emulated, std::vector<Platform>{kArm64});
  EXPECT_EQ(sink.notices(), std::vector<std::string>{"linux/arm64 is emulated on arm?"});
}

TEST(Crew, AskedWhatTheyEmulateAreAllWhenNoneRunsItNatively) {
  RecordingSink sink;
  auto intel = std::make_shared<FakeDriver>(std::vector<Platform>{kAmd64});
  auto arm = std::make_shared<FakeDriver>(std::vector<Platform>{kArm64, kS390x});
  Crew crew({{"intel", {kAmd64}, {}, intel}, {"arm", {kArm64}, {}, arm}}, sink);
  ASSERT_TRUE(crew.Assign({kAmd64}, Emulation::kListed, Cancel::Never()));
  EXPECT_TRUE(arm->asked().empty()) << "it is not needed";
  auto assigned = crew.Assign({kS390x}, Emulation::kListed, Cancel::Never());
  ASSERT_TRUE(assigned) << assigned.error().message();
  EXPECT_EQ(assigned->front().share.site, 1u);
  EXPECT_EQ(sink.notices(), std::vector<std::string>{"linux/s390x is emulated on arm"});
  EXPECT_EQ(arm->asked(), std::vector<std::string>{"linux/arm64"});
  EXPECT_FALSE(crew.Assign({kS390x}, Emulation::kNever, Cancel::Never()));
}

TEST(Crew, WhatNobodyKnowsIsNotCalledEmulated) {
  RecordingSink sink;
  auto driver = std::make_shared<FakeDriver>(std::vector<Platform>{kAmd64});
  Crew crew({{"one", {}, {}, driver}}, sink);
  const Platform foo{"linux", "foo", ""};
  auto assigned = crew.Assign({kAmd64, foo}, Emulation::kListed, Cancel::Never());
  ASSERT_TRUE(assigned) << assigned.error().message();
  EXPECT_EQ(assigned->front().share.platforms, (std::vector<Platform>{kAmd64, foo}));
  EXPECT_TRUE(sink.notices().empty());
  EXPECT_FALSE(crew.Assign({foo}, Emulation::kNever, Cancel::Never()));
}

TEST(Crew, OneDriverOfSeveralMachinesGivesOneForEachSite) {
  RecordingSink sink;
  auto driver = std::make_shared<FakeDriver>(std::vector<Platform>{});
  Crew crew(
      {{"amd64", NativeFamily(kAmd64), {}, driver}, {"arm64", NativeFamily(kArm64), {}, driver}},
      sink);
  auto assigned = crew.Assign({kAmd64, kArm64}, Emulation::kNever, Cancel::Never());
  ASSERT_TRUE(assigned);
  ASSERT_EQ(assigned->size(), 2u);
  EXPECT_NE((*assigned)[0].builder, (*assigned)[1].builder);
  auto asked = driver->asked();
  std::sort(asked.begin(), asked.end());
  EXPECT_EQ(asked, (std::vector<std::string>{"linux/amd64", "linux/arm64"}));
}

TEST(Crew, OfSeveralEachThatIsNotKnownIsAsked) {
  RecordingSink sink;
  auto intel = std::make_shared<FakeDriver>(std::vector<Platform>{kAmd64, kArm64});
  auto arm = std::make_shared<FakeDriver>(std::vector<Platform>{kArm64});
  Crew crew({{"intel", {}, {}, intel}, {"arm", {}, {}, arm}}, sink);
  auto assigned = crew.Assign({kArm64}, Emulation::kNever, Cancel::Never());
  ASSERT_TRUE(assigned) << assigned.error().message();
  ASSERT_EQ(assigned->size(), 1u);
  EXPECT_EQ(assigned->front().share.site, 1u);
  EXPECT_TRUE(sink.notices().empty());
  EXPECT_TRUE(crew.Assign({kAmd64}, Emulation::kNever, Cancel::Never()));
  EXPECT_EQ(intel->asked().size(), 1u);
  EXPECT_EQ(arm->asked().size(), 1u);
}

TEST(Crew, TargetsThatComeAtTheSameTimeShareABuilder) {
  RecordingSink sink;
  auto driver = std::make_shared<FakeDriver>(std::vector<Platform>{kAmd64});
  driver->SetOpen(false);
  Crew crew({{"one", {}, {}, driver}}, sink);
  std::mutex mutex;
  std::set<builder::Builder*> builders;
  TaskGroup targets(Cancel::Never());
  for (int i = 0; i < 2; ++i) {
    targets.Start("target", [&](const Cancel& cancel) -> Result<> {
      TRY_ASSIGN(auto assigned, crew.Assign({kAmd64}, Emulation::kNever, cancel));
      std::lock_guard lock(mutex);
      builders.insert(assigned.front().builder);
      return {};
    });
  }
  driver->WaitUntilAsked();
  driver->SetOpen(true);
  ASSERT_TRUE(targets.Wait());
  EXPECT_EQ(builders.size(), 1u);
  EXPECT_EQ(driver->asked().size(), 1u);
}

TEST(Crew, WhoWaitsForAnotherTargetsFailureTriesByItself) {
  RecordingSink sink;
  auto driver = std::make_shared<FakeDriver>(std::vector<Platform>{kAmd64});
  driver->FailOnce();
  Crew crew({{"one", {}, {}, driver}}, sink);
  EXPECT_FALSE(crew.Assign({kAmd64}, Emulation::kNever, Cancel::Never()));
  EXPECT_TRUE(crew.Assign({kAmd64}, Emulation::kNever, Cancel::Never()));
  EXPECT_EQ(driver->asked().size(), 2u);
}

TEST(Crew, ACancelEndsTheWaitForAnothersAcquire) {
  RecordingSink sink;
  auto driver = std::make_shared<FakeDriver>(std::vector<Platform>{kAmd64});
  driver->SetOpen(false);
  Crew crew({{"one", {}, {}, driver}}, sink);
  TaskGroup first(Cancel::Never());
  first.Start("first", [&](const Cancel& cancel) -> Result<> {
    TRY(crew.Assign({kAmd64}, Emulation::kNever, cancel));
    return {};
  });
  driver->WaitUntilAsked();
  CancelSource user;
  user.Request(Error(ErrorCode::kCancelled, "cancelled (test)"));
  auto second = crew.Assign({kAmd64}, Emulation::kNever, user.cancel());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kCancelled);
  driver->SetOpen(true);
  EXPECT_TRUE(first.Wait());
}

}  // namespace
}  // namespace depot::choice::crew_test
