#include "plugin/job/filter_agreement.h"

#include <tuple>

#include <gtest/gtest.h>

#include "driver/base/task_group.h"

namespace depot::job::filter_agreement_test {
namespace {

using Paths = std::set<std::string>;

class FilterAgreementTest : public testing::Test {
 protected:
  const builder::Builder* Builder(int number) const {
    return reinterpret_cast<const builder::Builder*>(&builders_[number]);
  }

  void Expect(const std::string& target, std::size_t wave = 0, const std::string& path = "/a") {
    filters_.Expect(target, {nullptr, wave}, {{"context", path}});
    filters_.Arrive(target, {Builder(0)});
  }

  /// Asks in a thread of its own; the answer is in answers_ after tasks_.Wait().
  void Ask(const std::string& target, Paths follow, const std::string& rest = "rest") {
    solve::SharedFilters* answer = &answers_[target];
    tasks_.Start("ask", [=, this](const Cancel& cancel) -> Result<> {
      *answer = filters_.Agree(target, Builder(0), {{"context", {follow, rest}}}, cancel);
      return {};
    });
  }

  std::map<std::string, solve::SharedFilters> answers_;
  FilterAgreement filters_;
  char builders_[2] = {};
  TaskGroup tasks_{Cancel::Never()};
};

TEST_F(FilterAgreementTest, AllAskForWhatTheyNeedTogether) {
  for (const char* target : {"one", "two", "three"})
    Expect(target);
  Ask("one", {"a", "b"});
  Ask("two", {"b", "c"});
  Ask("three", {"d"});
  ASSERT_TRUE(tasks_.Wait());
  for (const char* target : {"one", "two", "three"}) {
    ASSERT_EQ(answers_[target].size(), 1U) << target;
    EXPECT_EQ(answers_[target]["context"].follow, (Paths{"a", "b", "c", "d"}));
    EXPECT_EQ(answers_[target]["context"].key, answers_["one"]["context"].key);
  }
  // A solve that is made again, for a cache or after a loss, has another session.
  const auto again =
      filters_.Agree("one", Builder(0), {{"context", {{"a"}, "other"}}}, Cancel::Never());
  EXPECT_EQ(again.at("context").follow, (Paths{"a", "b", "c", "d"}));
}

TEST_F(FilterAgreementTest, OneThatNeedsEverythingGetsItForAll) {
  Expect("one");
  Expect("two");
  Ask("one", {"a"});
  Ask("two", {});
  ASSERT_TRUE(tasks_.Wait());
  EXPECT_TRUE(answers_["one"].at("context").follow.empty());
  EXPECT_TRUE(answers_["two"].at("context").follow.empty());
}

TEST_F(FilterAgreementTest, WhatIsTheSameIsLeftAsItIs) {
  Expect("one");
  Expect("two");
  Expect("elsewhere", 0, "/b");
  Ask("one", {"a"});
  Ask("two", {"a"});
  Ask("elsewhere", {"d"});
  Ask("unexpected", {"f"});
  ASSERT_TRUE(tasks_.Wait());
  for (const auto& [target, answer] : answers_)
    EXPECT_TRUE(answer.empty()) << target;
}

TEST_F(FilterAgreementTest, WhatCannotBeOneHasACopyOfItsOwn) {
  for (const char* target : {"one", "two", "ignores"})
    Expect(target);
  Ask("one", {"a"});
  Ask("two", {"a"});
  Ask("ignores", {"c"}, "another ignore file");
  ASSERT_TRUE(tasks_.Wait());
  EXPECT_EQ(answers_["one"].at("context").follow, (Paths{"a"}));
  EXPECT_EQ(answers_["one"].at("context").key, answers_["two"].at("context").key);
  EXPECT_EQ(answers_["ignores"].at("context").follow, (Paths{"c"}));
  EXPECT_NE(answers_["ignores"].at("context").key, answers_["one"].at("context").key);
}

TEST_F(FilterAgreementTest, DirectoriesOfOneNameHaveCopiesOfTheirOwn) {
  for (const auto& [target, path, kept_under] :
       {std::tuple("one", "/a/app", "app"), std::tuple("two", "/b/app", "app"),
        std::tuple("other", "/c", "c"), std::tuple("unknown", "/d", "")}) {
    filters_.Expect(target, {nullptr, 0}, {{"context", path}}, kept_under);
    filters_.Arrive(target, {Builder(0)});
  }
  for (const char* target : {"one", "two", "other", "unknown"})
    Ask(target, {"a"});
  ASSERT_TRUE(tasks_.Wait());
  EXPECT_EQ(answers_["one"].at("context").follow, (Paths{"a"}));
  EXPECT_NE(answers_["one"].at("context").key, answers_["two"].at("context").key);
  EXPECT_TRUE(answers_["other"].empty());
  EXPECT_TRUE(answers_["unknown"].empty());
}

TEST_F(FilterAgreementTest, ALaterWaveTakesWhatIsThereAlready) {
  Expect("base");
  for (const char* target : {"less", "more", "other session"})
    Expect(target, 1);
  const auto base =
      filters_.Agree("base", Builder(0), {{"context", {{"a", "b"}, "rest"}}}, Cancel::Never());
  EXPECT_EQ(base.at("context").follow, (Paths{"a", "b"}));
  Ask("less", {"b"});
  Ask("more", {"b", "c"});
  Ask("other session", {"a"}, "another");
  ASSERT_TRUE(tasks_.Wait());
  EXPECT_EQ(answers_["less"].at("context").key, base.at("context").key);
  EXPECT_EQ(answers_["less"].at("context").follow, base.at("context").follow);
  EXPECT_NE(answers_["more"].at("context").key, base.at("context").key);
  EXPECT_NE(answers_["other session"].at("context").key, base.at("context").key);
}

TEST_F(FilterAgreementTest, WhoEndsOrBuildsElsewhereIsNotWaitedFor) {
  for (const char* target : {"one", "two", "failed"})
    Expect(target);
  filters_.Expect("other builder", {nullptr, 0}, {{"context", "/a"}});
  Ask("one", {"a"});
  Ask("two", {"b"});
  filters_.Arrive("other builder", {Builder(1)});
  filters_.Leave("failed");
  ASSERT_TRUE(tasks_.Wait());
  EXPECT_EQ(answers_["one"].at("context").follow, (Paths{"a", "b"}));
}

TEST_F(FilterAgreementTest, WhoWasNotWaitedForGoesByItself) {
  Expect("one");
  Expect("slow");
  CancelSource source(Cancel::Never());
  source.Request(Error(ErrorCode::kCancelled, "enough"));
  EXPECT_TRUE(
      filters_.Agree("one", Builder(0), {{"context", {{"a"}, ""}}}, source.cancel()).empty());
  EXPECT_TRUE(
      filters_.Agree("slow", Builder(0), {{"context", {{"b"}, ""}}}, Cancel::Never()).empty());
}

}  // namespace
}  // namespace depot::job::filter_agreement_test
