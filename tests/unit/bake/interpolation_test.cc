#include "plugin/bake/interpolation.h"

#include <gtest/gtest.h>

namespace depot::bake::interpolation_test {
namespace {

std::optional<std::string> LookUp(const std::string& name) {
  static const Environment known = {{"SET", "s"}, {"EMPTY", ""}};
  auto found = known.find(name);
  if (found == known.end()) return std::nullopt;
  return found->second;
}

std::string Replaced(std::string_view text) {
  auto replaced = Interpolate(text, LookUp);
  return replaced ? *replaced : replaced.error().message();
}

TEST(Interpolate, KnowsEveryForm) {
  EXPECT_EQ(Replaced("$SET-${SET}-$$SET"), "s-s-$SET");
  EXPECT_EQ(Replaced("${NO}|${NO-d}|${NO:-d}|${EMPTY-d}|${EMPTY:-d}"), "|d|d||d");
  EXPECT_EQ(Replaced("${SET:+a}|${NO+a}|${EMPTY+a}|${EMPTY:+a}"), "a||a|");
  EXPECT_EQ(Replaced("${NO:-${SET}-${NO:-x}}"), "s-x");
}

TEST(Interpolate, SaysWhichVariableIsMissing) {
  EXPECT_EQ(Replaced("${NEED:?say it}"), "required variable NEED is missing a value: say it");
  EXPECT_EQ(Replaced("${SET?never}"), "s");
}

TEST(Interpolate, RefusesOtherDollars) {
  for (const char* text : {"$", "a $ b", "${", "${}", "${1}", "${SET", "${SET!x}"})
    EXPECT_FALSE(Interpolate(text, LookUp)) << text;
}

TEST(Interpolate, IsBounded) {
  std::string nested;
  for (int i = 0; i < 1000; ++i)
    nested += "${NO:-";
  nested.append(1000, '}');
  EXPECT_FALSE(Interpolate(nested, LookUp));
}

TEST(Dotenv, HasQuotesCommentsAndReferences) {
  auto read = ParseDotenv(
      "# c\nA=1\nQ=\"two\\nlines $A\" # x\nS='$A'\nexport E=exp # y\nR=${A}-r\nSET\nM='a\nb'\nC: "
      "d\n",
      LookUp);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, (Environment{{"A", "1"},
                                {"Q", "two\nlines 1"},
                                {"S", "$A"},
                                {"E", "exp"},
                                {"R", "1-r"},
                                {"SET", "s"},
                                {"M", "a\nb"},
                                {"C", "d"}}));
}

TEST(Dotenv, NamesTheLine) {
  auto read = ParseDotenv("A=1\nB='x\n", LookUp);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message().find("a quote is not closed"), std::string::npos);
}

}  // namespace
}  // namespace depot::bake::interpolation_test
