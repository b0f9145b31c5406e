#include "pool/records/slots.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "pool/records/slot_book.h"
#include "pool/records/turns.h"

namespace depot::records::slots_test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kAmd64 = "linux/amd64";
constexpr const char* kArm64 = "linux/arm64";

/// Slots with a clock that the test moves.
class SlotsTest : public ::testing::Test {
 protected:
  /// The builder's name, or "waits:POSITION", or "none".
  std::string Ask(const std::string& build,
                  const std::string& platform = kAmd64,
                  const std::string& project = "p") {
    auto answer = slots_->Ask(build, platform, project, now_);
    if (auto* granted = std::get_if<Granted>(&answer)) return granted->claim.builder;
    if (auto* waiting = std::get_if<Waiting>(&answer)) return Cat("waits:", waiting->position);
    return "none";
  }

  std::unique_ptr<Slots> slots_ = MakeSlots();
  Slots::Moment now_ = std::chrono::hours(5);
};

TEST_F(SlotsTest, GivesEachSlotOnceAndQueuesTheRestInOrder) {
  slots_->Configure({{"one", kAmd64, 2, {}}});
  EXPECT_EQ(Ask("a"), "one");
  EXPECT_EQ(Ask("b"), "one");
  EXPECT_EQ(Ask("c"), "waits:1");
  EXPECT_EQ(Ask("d"), "waits:2");
  EXPECT_EQ(Ask("c"), "waits:1");
  EXPECT_EQ(Ask("a"), "one");  // asking again changes nothing
  slots_->Release("b");
  EXPECT_EQ(Ask("d"), "waits:1");  // c has the slot, though it has not asked again yet
  EXPECT_EQ(Ask("c"), "one");
}

TEST_F(SlotsTest, SaysTheFirstTimeOnlyOnce) {
  slots_->Configure({{"one", kAmd64, 1, {}}});
  EXPECT_TRUE(std::get<Granted>(slots_->Ask("a", kAmd64, "p", now_)).first);
  EXPECT_FALSE(std::get<Granted>(slots_->Ask("a", kAmd64, "p", now_)).first);
  EXPECT_TRUE(std::get<Waiting>(slots_->Ask("b", kAmd64, "p", now_)).first);
  EXPECT_FALSE(std::get<Waiting>(slots_->Ask("b", kAmd64, "p", now_)).first);
  slots_->Release("a");
  EXPECT_TRUE(std::get<Granted>(slots_->Ask("b", kAmd64, "p", now_)).first);
}

TEST_F(SlotsTest, WaitGrowsWithThePositionUpToALimit) {
  slots_->Configure({{"one", kAmd64, 1, {}}});
  Ask("holder");
  milliseconds before{0};
  for (int i = 0; i < 100; ++i) {
    auto waiting = std::get<Waiting>(slots_->Ask(Cat("b", i), kAmd64, "p", now_));
    EXPECT_GE(waiting.wait, before);
    EXPECT_LE(waiting.wait, seconds(5));
    before = waiting.wait;
  }
  EXPECT_EQ(before, seconds(5));
}

TEST_F(SlotsTest, PlatformsAndProjectsKeepApart) {
  slots_->Configure({{"amd", kAmd64, 1, {}}, {"own", kArm64, 1, {"q"}}});
  EXPECT_EQ(Ask("a", kArm64, "p"), "none");
  EXPECT_EQ(Ask("a", kArm64, "q"), "own");
  EXPECT_EQ(Ask("a", kAmd64, "q"), "amd");
  EXPECT_EQ(Ask("b", "linux/riscv64", "q"), "none");
}

TEST_F(SlotsTest, AProjectsOwnBuilderIsTakenFirst) {
  slots_->Configure({{"all", kAmd64, 4, {}}, {"own", kAmd64, 1, {"q"}}});
  EXPECT_EQ(Ask("a", kAmd64, "q"), "own");
  EXPECT_EQ(Ask("b", kAmd64, "q"), "all");
}

TEST_F(SlotsTest, LoadIsSpreadOverBuilders) {
  slots_->Configure({{"one", kAmd64, 4, {}}, {"two", kAmd64, 4, {}}});
  std::multiset<std::string> got{Ask("a"), Ask("b"), Ask("c"), Ask("d")};
  EXPECT_EQ(got.count("one"), 2u);
  EXPECT_EQ(got.count("two"), 2u);
}

TEST_F(SlotsTest, AWaiterIsOnlyPassedByThoseWhoUseWhatItCannot) {
  slots_->Configure({{"shared", kAmd64, 1, {}}, {"own", kAmd64, 1, {"q"}}});
  EXPECT_EQ(Ask("a", kAmd64, "p"), "shared");
  EXPECT_EQ(Ask("b", kAmd64, "p"), "waits:1");
  EXPECT_EQ(Ask("c", kAmd64, "q"), "own");
  EXPECT_EQ(Ask("d", kAmd64, "q"), "waits:2");
  slots_->Release("a");
  EXPECT_EQ(Ask("d", kAmd64, "q"), "waits:1");
  EXPECT_EQ(Ask("b", kAmd64, "p"), "shared");
}

TEST_F(SlotsTest, SilentBuildsLoseEverythingAfterSixtySeconds) {
  slots_->Configure({{"one", kAmd64, 1, {}}});
  Ask("a");
  Ask("b");
  now_ += seconds(59);
  slots_->Alive("b", kAmd64, now_);
  EXPECT_TRUE(slots_->Expire(now_).builds.empty());
  now_ += seconds(2);
  EXPECT_EQ(slots_->Expire(now_).builds, std::vector<std::string>{"a"});
  EXPECT_EQ(Ask("b"), "one");
}

TEST_F(SlotsTest, ReportsAndQuestionsBothKeepAPlace) {
  slots_->Configure({{"one", kAmd64, 1, {}}});
  Ask("a");
  Ask("asks");
  Ask("reports");
  Ask("silent");
  Ask("last");
  for (int i = 0; i < 5; ++i) {
    now_ += seconds(30);
    slots_->Alive("a", kAmd64, now_);
    slots_->Alive("reports", kAmd64, now_);
    slots_->Alive("last", kAmd64, now_);
    Ask("asks");
    slots_->Expire(now_);
  }
  EXPECT_EQ(Ask("asks"), "waits:1");
  EXPECT_EQ(Ask("reports"), "waits:2");
  EXPECT_EQ(Ask("last"), "waits:3");
  EXPECT_EQ(Ask("silent"), "waits:4");
}

TEST_F(SlotsTest, OnePlatformThatIsLetGoIsFreeWhileTheBuildGoesOn) {
  slots_->Configure({{"amd", kAmd64, 1, {}}, {"arm", kArm64, 1, {}}});
  Ask("a", kAmd64);
  Ask("a", kArm64);
  now_ += seconds(61);
  slots_->Alive("a", kAmd64, now_);
  Expired expired = slots_->Expire(now_);
  EXPECT_TRUE(expired.builds.empty());
  ASSERT_EQ(expired.claims.size(), 1u);
  EXPECT_EQ(expired.claims[0].platform, kArm64);
  EXPECT_EQ(Ask("b", kArm64), "arm");
  EXPECT_EQ(Ask("b", kAmd64), "waits:1");
}

TEST_F(SlotsTest, ABuildThatHasNotAskedYetHasTenMinutes) {
  slots_->Begin("a", now_);
  now_ += seconds(599);
  EXPECT_TRUE(slots_->Expire(now_).builds.empty());
  now_ += seconds(2);
  EXPECT_EQ(slots_->Expire(now_).builds, std::vector<std::string>{"a"});
  EXPECT_TRUE(slots_->Expire(now_).builds.empty());
}

TEST_F(SlotsTest, ABuilderThatIsDownIsNotGivenAway) {
  slots_->Configure({{"one", kAmd64, 1, {}}, {"two", kAmd64, 1, {}}});
  EXPECT_EQ(Ask("a"), "one");
  slots_->SetUp("one", false);
  slots_->SetUp("two", false);
  EXPECT_TRUE(slots_->Holds("a", "one"));  // who has it keeps it
  EXPECT_EQ(Ask("b"), "waits:1");
  slots_->SetUp("two", true);
  EXPECT_EQ(Ask("b"), "two");
}

TEST_F(SlotsTest, WhereNoBuilderIsUpTheyAreNotBusy) {
  auto lack = [&](const std::string& build, const std::string& platform = kAmd64) {
    return std::get<Waiting>(slots_->Ask(build, platform, "p", now_)).lack;
  };
  slots_->Configure({{"one", kAmd64, 1, {}},
                     {"others", kAmd64, 1, {"q"}},
                     {"arm", kArm64, 1, {}},
                     {"source", kArm64, 0, {}}});
  slots_->SetLimits({{"p", 1}});
  slots_->SetUp("one", false);
  EXPECT_EQ(lack("a"), Lack::kBuilder) << "what only others may have helps nobody";
  EXPECT_EQ(slots_->Queue().at(0).lack, Lack::kBuilder);
  slots_->SetUp("one", true);
  EXPECT_EQ(Ask("a"), "one");
  slots_->SetUp("one", false);
  EXPECT_EQ(lack("b"), Lack::kBuilder) << "no limit is in its way first";
  slots_->SetUp("arm", false);
  EXPECT_EQ(lack("b", kArm64), Lack::kBuilder) << "those that may come are not there";
}

TEST_F(SlotsTest, WhoAsksAgainForABuilderThatIsDownWaitsForAnotherInItsOldPlace) {
  slots_->Configure({{"one", kAmd64, 2, {}}, {"two", kAmd64, 1, {}}});
  EXPECT_EQ(Ask("a"), "one");
  EXPECT_EQ(Ask("b"), "two");
  EXPECT_EQ(Ask("c"), "one");
  EXPECT_EQ(Ask("d"), "waits:1");
  slots_->SetUp("one", false);
  EXPECT_EQ(Ask("a"), "waits:1");
  EXPECT_FALSE(slots_->Holds("a", "one"));
  EXPECT_TRUE(slots_->Holds("c", "one")) << "it has not asked";
  EXPECT_EQ(slots_->InUse("one"), 1);
  slots_->Release("b");
  EXPECT_EQ(Ask("d"), "waits:1");
  EXPECT_EQ(Ask("a"), "two");
  slots_->SetUp("one", true);
  EXPECT_EQ(Ask("c"), "one");
}

TEST_F(SlotsTest, APlaceholderMakesBuildsWaitForBuildersToCome) {
  slots_->Configure({{"source", kAmd64, 0, {}}});
  EXPECT_EQ(Ask("a"), "waits:1");
  EXPECT_TRUE(slots_->Up().empty());
  slots_->Configure({{"source", kAmd64, 0, {}}, {"source/1", kAmd64, 1, {}}});
  EXPECT_EQ(Ask("a"), "source/1");
  EXPECT_TRUE(slots_->Holds("a", "source/1"));
  EXPECT_TRUE(slots_->Holds("a", "source"));
  EXPECT_FALSE(slots_->Holds("a", "sour"));
  slots_->Configure({{"source", kAmd64, 0, {}}});
  EXPECT_TRUE(slots_->Holds("a", "source")) << "it may be found again";
  slots_->Configure({{"source", kAmd64, 0, {"q"}}});
  EXPECT_FALSE(slots_->Holds("a", "source"));
}

TEST_F(SlotsTest, AProjectHasNoMoreThanItsLimitAndKeepsItsPlace) {
  slots_->SetLimits({{"p", 1}});
  slots_->Configure({{"amd", kAmd64, 3, {}}, {"arm", kArm64, 1, {}}});
  EXPECT_EQ(Ask("a", kAmd64, "p"), "amd");
  EXPECT_EQ(Ask("a", kArm64, "p"), "arm") << "each platform has its own";
  auto over = std::get<Waiting>(slots_->Ask("b", kAmd64, "p", now_));
  EXPECT_EQ(over.lack, Lack::kLimit);
  EXPECT_EQ(Ask("c", kAmd64, "q"), "amd");
  EXPECT_EQ(Ask("b", kAmd64, "p"), "waits:1");
  slots_->Release("a");
  EXPECT_EQ(Ask("b", kAmd64, "p"), "amd");
}

/// Three builders of one slot each; "home" is the best of them for project p, "other" is no home.
class HomesTest : public SlotsTest {
 protected:
  HomesTest() {
    slots_->SetHomes({seconds(30), 16});
    std::vector<BuilderUse> uses;
    for (const char* name : {"one", "two", "three"})
      uses.push_back({{name, kAmd64, 1, {}}});
    auto order = OrderFor({"", kAmd64, "p", 0, ""}, uses);
    home_ = uses[order[0]].slots.name;
    second_ = uses[order[1]].slots.name;
    other_ = uses[order[2]].slots.name;
    slots_->Configure({uses[0].slots, uses[1].slots, uses[2].slots});
  }

  /// A project with these homes, or with `not_home` as none.
  std::string ProjectWithout(const std::string& not_home) {
    std::vector<BuilderUse> uses{
        {{home_, kAmd64, 1, {}}}, {{second_, kAmd64, 1, {}}}, {{other_, kAmd64, 1, {}}}};
    for (int i = 0;; ++i) {
      std::string project = Cat("q", i);
      if (uses[OrderFor({"", kAmd64, project, 0, ""}, uses)[2]].slots.name == not_home)
        return project;
    }
  }

  Grounds GroundsOf(const std::string& build, const std::string& project = "p") {
    return std::get<Granted>(slots_->Ask(build, kAmd64, project, now_)).claim.grounds;
  }

  std::string home_, second_, other_;
};

TEST_F(HomesTest, BuildsGoHomeAndWaitForItThirtySeconds) {
  EXPECT_EQ(Ask("a"), home_);
  EXPECT_EQ(Ask("b"), second_);
  EXPECT_EQ(GroundsOf("b"), Grounds::kHome);
  EXPECT_EQ(std::get<Waiting>(slots_->Ask("c", kAmd64, "p", now_)).lack, Lack::kHome);
  now_ += milliseconds(29'999);
  EXPECT_EQ(Ask("c"), "waits:1");
  EXPECT_EQ(slots_->Queue().at(0).lack, Lack::kHome);
  now_ += milliseconds(1);
  EXPECT_EQ(Ask("c"), other_);
  EXPECT_EQ(GroundsOf("c"), Grounds::kWaited);
  EXPECT_EQ(std::get<Waiting>(slots_->Ask("d", kAmd64, "p", now_)).lack, Lack::kSlot);
}

TEST_F(HomesTest, AHomeThatComesFreeEndsTheWait) {
  EXPECT_EQ(Ask("a"), home_);
  EXPECT_EQ(Ask("b"), second_);
  EXPECT_EQ(Ask("c"), "waits:1");
  slots_->Release("b");
  EXPECT_EQ(Ask("c"), second_);
}

TEST_F(HomesTest, WhoseHomeItIsPassesThoseWhoWaitForTheirsSixteenTimes) {
  std::string q = ProjectWithout(home_);
  EXPECT_EQ(Ask("a"), home_);
  EXPECT_EQ(Ask("b"), second_);
  EXPECT_EQ(Ask("c"), "waits:1");
  for (int i = 0; i < 16; ++i) {
    std::string build = Cat("q", i);
    EXPECT_EQ(Ask(build, kAmd64, q), other_) << i;
    EXPECT_EQ(GroundsOf(build, q), Grounds::kHome);
    EXPECT_EQ(slots_->Queue().at(0).claim.passed, i + 1);
    if (i < 15) slots_->Release(build);
  }
  slots_->Release("q15");
  EXPECT_EQ(Ask("c"), other_);
  EXPECT_EQ(GroundsOf("c"), Grounds::kPassed);
}

TEST_F(HomesTest, AHomeThatIsDownIsNone) {
  slots_->SetUp(home_, false);
  EXPECT_EQ(Ask("a"), second_);
  EXPECT_EQ(Ask("b"), other_);
  EXPECT_EQ(GroundsOf("b"), Grounds::kHome);
}

TEST(SlotBook, WhereHomesDoNotCountNobodyWaitsForOne) {
  SlotBook book;
  book.Configure({{"one", kAmd64, 1, {}}});
  // As another pool has written it down, before anybody has looked who is next.
  book.claims[1].claim = {"b", kAmd64, "p", 1, ""};
  const auto lack = [&] { return std::get<Waiting>(*book.AskAgain("b", kAmd64)).lack; };
  EXPECT_EQ(lack(), Lack::kSlot);
  book.homes = {seconds(30), 16};
  EXPECT_EQ(lack(), Lack::kHome);
  book.homes = {seconds(0), 16};
  EXPECT_EQ(lack(), Lack::kSlot);
}

TEST_F(HomesTest, EitherZeroIsTheOrderOfTheQueueAlone) {
  for (const HomeRules& rules : {HomeRules{seconds(0), 16}, HomeRules{seconds(30), 0}}) {
    slots_->SetHomes(rules);
    for (const char* build : {"a", "b", "c"}) {
      EXPECT_NE(Ask(build), "waits:1");
      EXPECT_EQ(GroundsOf(build), Grounds::kTurn);
    }
    for (const char* build : {"a", "b", "c"})
      slots_->Release(build);
  }
}

TEST_F(SlotsTest, ABuilderThatGoesDownBeforeItsBuildWasToldIsReplaced) {
  slots_->Configure({{"one", kAmd64, 1, {}}, {"two", kAmd64, 1, {}}});
  Ask("a");
  Ask("b");
  EXPECT_EQ(Ask("c"), "waits:1");
  slots_->Release("a");  // c has "one", but does not know
  slots_->SetUp("one", false);
  EXPECT_EQ(Ask("c"), "waits:1");
  slots_->Release("b");
  EXPECT_EQ(Ask("c"), "two");
}

TEST_F(SlotsTest, ChangedSettingsKeepWhatBuildsHave) {
  slots_->Configure({{"one", kAmd64, 2, {}}});
  Ask("a");
  Ask("b");
  slots_->Configure({{"one", kAmd64, 1, {}}, {"two", kAmd64, 1, {}}});
  EXPECT_EQ(Ask("a"), "one");
  EXPECT_EQ(Ask("b"), "one");
  EXPECT_EQ(Ask("c"), "two");
  EXPECT_EQ(Ask("d"), "waits:1");
  slots_->Release("a");
  EXPECT_EQ(Ask("d"), "waits:1");  // one slot is left, and b has it
  slots_->Configure({{"two", kAmd64, 2, {}}});
  EXPECT_EQ(Ask("d"), "two");
  EXPECT_EQ(Ask("b"), "waits:1");  // its builder is gone
}

TEST_F(SlotsTest, ABuilderThatBecomesAnotherProjectsIsKeptByNobodyElse) {
  slots_->Configure({{"one", kAmd64, 2, {}}, {"two", kAmd64, 1, {"q"}}});
  EXPECT_EQ(Ask("a"), "one");
  EXPECT_EQ(Ask("b"), "one");
  slots_->Configure({{"one", kAmd64, 2, {"q"}}, {"two", kAmd64, 1, {}}});
  EXPECT_FALSE(slots_->Holds("a", "one"));
  EXPECT_EQ(Ask("a"), "two");
  EXPECT_EQ(Ask("b"), "waits:1");
}

TEST_F(SlotsTest, ABuildHoldsWhatItWasGivenUntilItIsReleased) {
  slots_->Configure({{"one", kAmd64, 1, {}}, {"two", kArm64, 1, {}}});
  Ask("a");
  Ask("b");
  EXPECT_TRUE(slots_->Holds("a", "one"));
  EXPECT_FALSE(slots_->Holds("a", "two"));
  EXPECT_FALSE(slots_->Holds("b", "one"));
  EXPECT_FALSE(slots_->Holds("b", ""));
  slots_->Release("a");
  EXPECT_FALSE(slots_->Holds("a", "one"));
  EXPECT_TRUE(slots_->Holds("b", "one"));
}

TEST_F(SlotsTest, ARestartKeepsSlotsAndOrder) {
  slots_->Configure({{"one", kAmd64, 1, {}}});
  slots_->Restore({"third", kAmd64, "p", 9, ""}, now_);
  slots_->Restore({"holder", kAmd64, "p", 3, "one"}, now_);
  slots_->Restore({"second", kAmd64, "p", 5, ""}, now_);
  EXPECT_EQ(Ask("new"), "waits:3");
  EXPECT_EQ(Ask("third"), "waits:2");
  EXPECT_EQ(Ask("holder"), "one");
  now_ += seconds(30);
  slots_->Alive("third", kAmd64, now_);
  slots_->Alive("holder", kAmd64, now_);
  slots_->Alive("new", kAmd64, now_);
  now_ += seconds(31);
  EXPECT_EQ(slots_->Expire(now_).builds, std::vector<std::string>{"second"});
  slots_->Release("holder");
  EXPECT_EQ(Ask("new"), "waits:1");
  EXPECT_EQ(Ask("third"), "one");
}

TEST_F(SlotsTest, AfterFiftyOfOneProjectAnothersFirstIsNext) {
  slots_->Configure({{"one", kAmd64, 3, {}}});
  for (int i = 0; i < 50; ++i)
    Ask(Cat("a", i), kAmd64, "a");
  EXPECT_EQ(Ask("b0", kAmd64, "b"), "waits:2");
  EXPECT_EQ(Ask("b1", kAmd64, "b"), "waits:4");
  EXPECT_EQ(Ask("a4", kAmd64, "a"), "waits:3");
  EXPECT_EQ(Ask("a49", kAmd64, "a"), "waits:49");
  slots_->Release("a0");
  slots_->Release("a1");
  EXPECT_EQ(Ask("a3", kAmd64, "a"), "one");
  EXPECT_EQ(Ask("b0", kAmd64, "b"), "one");
  PlatformLoad load = slots_->Load()[kAmd64];
  EXPECT_EQ(load.projects["a"].in_use, 2);
  EXPECT_EQ(load.projects["a"].waiting, 46);
  EXPECT_EQ(load.projects["b"].in_use, 1);
  EXPECT_EQ(load.projects["b"].waiting, 1);
}

TEST_F(SlotsTest, BuildersOfItsOwnCostAProjectNoTurn) {
  slots_->Configure({{"all", kAmd64, 1, {}}, {"own", kAmd64, 8, {"q"}}});
  Ask("p0", kAmd64, "p");
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(Ask(Cat("q", i), kAmd64, "q"), "own");
  EXPECT_EQ(Ask("q8", kAmd64, "q"), "waits:1");
  EXPECT_EQ(Ask("p1", kAmd64, "p"), "waits:2");
}

TEST_F(SlotsTest, TurnsSurviveARestart) {
  slots_->Configure({{"one", kAmd64, 1, {}}});
  std::vector<Claim> claims;
  for (const char* build : {"a0", "a1", "a2", "b0"}) {
    auto answer = slots_->Ask(build, kAmd64, std::string(1, build[0]), now_);
    if (auto* waiting = std::get_if<Waiting>(&answer)) claims.push_back(waiting->claim);
    if (auto* granted = std::get_if<Granted>(&answer)) claims.push_back(granted->claim);
  }
  slots_ = MakeSlots();
  slots_->Configure({{"one", kAmd64, 1, {}}});
  for (const Claim& claim : claims)
    slots_->Restore(claim, now_);
  EXPECT_EQ(Ask("a1", kAmd64, "a"), "waits:1");
  EXPECT_EQ(Ask("b0", kAmd64, "b"), "waits:2");
  EXPECT_EQ(Ask("a2", kAmd64, "a"), "waits:3");
}

TEST_F(SlotsTest, TwoHundredClientsOfThreeProjectsAreServedByWeight) {
  slots_->Configure({{"one", kAmd64, 4, {}}});
  slots_->SetWeights({{"heavy", 3}});
  std::map<std::string, int> asked{{"heavy", 60}, {"crowd", 120}, {"small", 20}};
  std::vector<std::pair<std::string, std::string>> clients;  // build and project
  for (const char* project : {"crowd", "heavy", "small"}) {
    for (int i = 0; i < asked[project]; ++i)
      clients.emplace_back(Cat(project, i), project);
  }
  for (const auto& [build, project] : clients)
    Ask(build, kAmd64, project);
  std::vector<std::string> served;  // projects, in order
  std::set<std::string> over;
  while (over.size() < clients.size()) {
    std::size_t before = over.size();
    for (const auto& [build, project] : clients) {
      if (over.contains(build) || Ask(build, kAmd64, project) != "one") continue;
      served.push_back(project);
      over.insert(build);
    }
    ASSERT_GT(over.size(), before);
    for (std::size_t i = before; i < over.size(); ++i)
      EXPECT_LE(slots_->Load()[kAmd64].in_use, 4);
    for (const std::string& build : over)
      slots_->Release(build);
  }
  // Of the first hundred after those who found a slot free: three to one to one.
  std::map<std::string, int> early;
  for (std::size_t i = 4; i < 79; ++i)
    ++early[served[i]];
  EXPECT_NEAR(early["heavy"], 45, 3);
  EXPECT_NEAR(early["crowd"], 15, 3);
  EXPECT_NEAR(early["small"], 15, 3);
}

/// Small numbers that look random and are the same each time.
class Dice {
 public:
  int Below(int bound) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int>((state_ >> 33) % static_cast<unsigned>(bound));
  }

 private:
  std::uint64_t state_ = 42;
};

TEST_F(SlotsTest, TwoHundredClientsAreAllServedInOrder) {
  struct Client {
    milliseconds next{0};  ///< when it does something again
    milliseconds until{0};
    bool has = false;
    bool done = false;
  };
  constexpr int kClients = 200;
  slots_->Configure({{"one", kAmd64, 3, {}}, {"two", kAmd64, 1, {}}});
  Dice dice;
  std::vector<Client> clients(kClients);
  std::vector<int> asked;
  std::vector<std::int64_t> tickets;
  milliseconds begin = now_;
  for (Client& client : clients)
    client.next = now_ + milliseconds(dice.Below(20000));
  int served = 0;
  while (served < kClients && now_ < begin + std::chrono::hours(2)) {
    now_ += milliseconds(50);
    for (int i = 0; i < kClients; ++i) {
      Client& client = clients[static_cast<std::size_t>(i)];
      if (client.done || client.next > now_) continue;
      std::string build = Cat("b", i);
      if (client.has) {
        slots_->Alive(build, kAmd64, now_);
        client.next = std::min(now_ + seconds(5), client.until);
        if (client.until > now_) continue;
        slots_->Release(build);
        client.done = true;
        ++served;
        continue;
      }
      auto answer = slots_->Ask(build, kAmd64, "p", now_);
      if (auto* granted = std::get_if<Granted>(&answer)) {
        tickets.push_back(granted->claim.ticket);
        client.has = true;
        client.until = now_ + milliseconds(500 + dice.Below(30000));
        client.next = std::min(now_ + seconds(5), client.until);
      } else {
        client.next = now_ + std::get<Waiting>(answer).wait;
      }
    }
    slots_->Expire(now_);
    ASSERT_LE(slots_->Load()[kAmd64].in_use, 4);
  }
  EXPECT_EQ(served, kClients);
  // A client learns of its slot at its next question, so neighbours of the four slots may swap.
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    EXPECT_LE(std::abs(tickets[i] - static_cast<std::int64_t>(i + 1)), 4) << i;
  }
  EXPECT_EQ(slots_->Load()[kAmd64].in_use, 0);
}

}  // namespace
}  // namespace depot::records::slots_test
