#include "pool/records/turns.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "driver/base/text.h"

namespace depot::records::turns_test {
namespace {

constexpr const char* kAmd64 = "linux/amd64";

/// A queue of one platform that is asked for the next one again and again.
class Queue {
 public:
  void Join(const std::string& project, int count, int weight = 1) {
    for (int i = 0; i < count; ++i) {
      Claim claim{
          Cat(project, i), kAmd64, project, static_cast<std::int64_t>(claims_.size()), "", 0};
      claim.turn = NextTurn(claims_, project, weight);
      claims_.push_back(claim);
    }
  }

  /// The projects of the next `count` that get a slot, each of which is over at once.
  std::string Next(int count) {
    std::string order;
    for (int i = 0; i < count; ++i) {
      auto grants = Choose(Waiting(), {BuilderUse{{"one", kAmd64, 1, {}}, true, 0}});
      if (grants.empty()) return order;
      Claim& served = claims_[static_cast<std::size_t>(grants[0].ticket)];
      served.builder = "ended";
      order += served.project;
    }
    return order;
  }

 private:
  std::vector<Claim> Waiting() const {
    std::vector<Claim> waiting;
    for (const Claim& claim : claims_) {
      if (claim.builder.empty()) waiting.push_back(claim);
    }
    return waiting;
  }

  std::vector<Claim> claims_;  // by ticket
};

TEST(Turns, WithinAProjectTheOrderIsThatOfAsking) {
  std::vector<Claim> claims;
  for (std::int64_t ticket : {3, 1, 2}) {
    claims.push_back({"b", kAmd64, "a", ticket, "", 0});
  }
  auto grants = Choose(claims, {BuilderUse{{"one", kAmd64, 2, {}}, true, 0}});
  ASSERT_EQ(grants.size(), 2U);
  EXPECT_EQ(grants[0].ticket, 1);
  EXPECT_EQ(grants[1].ticket, 2);
}

TEST(Turns, WhoComesAfterFiftyOfAnotherIsSecond) {
  Queue queue;
  queue.Join("a", 50);
  queue.Join("b", 3);
  EXPECT_EQ(queue.Next(8), "abababaa");
}

TEST(Turns, ALateProjectHasSavedNothing) {
  Queue queue;
  queue.Join("a", 50);
  EXPECT_EQ(queue.Next(20), std::string(20, 'a'));
  queue.Join("b", 20);
  EXPECT_EQ(queue.Next(10), "ababababab");
}

TEST(Turns, AWeightIsSoManyTurns) {
  Queue queue;
  queue.Join("a", 30, 3);
  queue.Join("b", 30, 1);
  std::string order = queue.Next(24);
  EXPECT_EQ(std::count(order.begin(), order.end(), 'a'), 18) << order;
  EXPECT_EQ(order.find("bb"), std::string::npos) << order;
}

TEST(Turns, ManyProjectsWaitOneRoundEach) {
  Queue queue;
  for (const char* project : {"a", "b", "c", "d", "e"})
    queue.Join(project, 4);
  EXPECT_EQ(queue.Next(20), "abcdeabcdeabcdeabcde");
}

TEST(Turns, WhatHasASlotCountsForItsProject) {
  std::vector<Claim> claims{{"b1", kAmd64, "a", 1, "one", 0},
                            {"b2", kAmd64, "a", 2, "one", kWholeTurn}};
  EXPECT_EQ(NextTurn(claims, "a", 1), 2 * kWholeTurn);
  EXPECT_EQ(NextTurn(claims, "a", 4), kWholeTurn + kWholeTurn / 4);
  EXPECT_EQ(NextTurn(claims, "b", 1), kWholeTurn);
  EXPECT_EQ(NextTurn({}, "a", 1), 0);
  EXPECT_EQ(NextTurn({}, "a", 0), 0) << "no weight is none that divides";
}

TEST(Turns, ABuilderThatIsDownFullOrForOthersIsNotChosen) {
  std::vector<Claim> waiting{{"b1", kAmd64, "a", 1, "", 0}, {"b2", kAmd64, "b", 2, "", 0}};
  std::vector<BuilderUse> builders{{{"down", kAmd64, 4, {}}, false, 0},
                                   {{"full", kAmd64, 1, {}}, true, 1},
                                   {{"arm", "linux/arm64", 4, {}}, true, 0},
                                   {{"own", kAmd64, 1, {"b"}}, true, 0}};
  auto grants = Choose(waiting, builders);
  ASSERT_EQ(grants.size(), 1U);
  EXPECT_EQ(grants[0].ticket, 2);
  EXPECT_EQ(grants[0].builder, "own");
  builders.push_back({{"free", kAmd64, 1, {}}, true, 0});
  EXPECT_EQ(Choose(waiting, builders).size(), 2U);
}

}  // namespace
}  // namespace depot::records::turns_test
