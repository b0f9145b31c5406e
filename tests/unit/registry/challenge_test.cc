#include "driver/registry/challenge.h"

#include <gtest/gtest.h>

namespace depot::registry::challenge_test {
namespace {

TEST(ParseChallenges, ReadsTheParametersOfABearerChallenge) {
  auto challenges = ParseChallenges(
      R"(Bearer realm="https://auth.test/token",service="registry.test",scope="repository:a:pull,push repository:b:pull")");
  ASSERT_EQ(challenges.size(), 1U);
  EXPECT_EQ(challenges[0].scheme, "bearer");
  EXPECT_EQ(challenges[0].Parameter("realm"), "https://auth.test/token");
  EXPECT_EQ(challenges[0].Parameter("service"), "registry.test");
  EXPECT_EQ(challenges[0].Parameter("scope"), "repository:a:pull,push repository:b:pull");
  EXPECT_EQ(challenges[0].Parameter("error"), "");
}

TEST(ParseChallenges, TellsSeveralChallengesOfOneHeaderApart) {
  auto challenges = ParseChallenges(
      "Negotiate, BASIC Realm = \"a \\\"b\\\", c\" , charset=UTF-8, Bearer realm=x");
  ASSERT_EQ(challenges.size(), 3U);
  EXPECT_EQ(challenges[0].scheme, "negotiate");
  EXPECT_EQ(challenges[1].scheme, "basic");
  EXPECT_EQ(challenges[1].Parameter("realm"), "a \"b\", c");
  EXPECT_EQ(challenges[1].Parameter("charset"), "UTF-8");
  EXPECT_EQ(challenges[2].scheme, "bearer");
  EXPECT_EQ(challenges[2].Parameter("realm"), "x");
}

TEST(ParseChallenges, SkipsWhatIsMalformed) {
  for (const char* header : {"", ",", "\"", "=", "a=b", "Bearer realm=\"", "Bearer realm=\"x\\",
                             "((((", "Negotiate YII==, \x01\x02", "Bearer realm"}) {
    for (const Challenge& challenge : ParseChallenges(header))
      EXPECT_FALSE(challenge.scheme.empty()) << header;
  }
  auto challenges = ParseChallenges("Negotiate YIIB==, @@ , Bearer realm=\"x\"");
  ASSERT_FALSE(challenges.empty());
  EXPECT_EQ(challenges.back().scheme, "bearer");
  EXPECT_EQ(challenges.back().Parameter("realm"), "x");
}

}  // namespace
}  // namespace depot::registry::challenge_test
