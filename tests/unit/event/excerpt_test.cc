#include "driver/event/excerpt.h"

#include <gtest/gtest.h>

namespace depot::excerpt_test {
namespace {

constexpr std::string_view kFile = "FROM a\nRUN one\nRUN two\nRUN three\nRUN four\nRUN five\n";

TEST(SourceExcerpt, ShowsTwoLinesAroundOne) {
  EXPECT_EQ(SourceExcerpt("Dockerfile", kFile, {{4, 4}}),
            "Dockerfile:4\n"
            "--------------------\n"
            "   2 |     RUN one\n"
            "   3 |     RUN two\n"
            "   4 | >>> RUN three\n"
            "   5 |     RUN four\n"
            "   6 |     RUN five\n"
            "--------------------\n");
}

TEST(SourceExcerpt, ShowsOneLineAroundSeveral) {
  EXPECT_EQ(SourceExcerpt("Dockerfile", kFile, {{2, 3}}),
            "Dockerfile:2\n"
            "--------------------\n"
            "   1 |     FROM a\n"
            "   2 | >>> RUN one\n"
            "   3 | >>> RUN two\n"
            "   4 |     RUN three\n"
            "--------------------\n");
}

TEST(SourceExcerpt, StopsAtTheEdges) {
  EXPECT_EQ(SourceExcerpt("D", "FROM a\r\nRUN \x1b[2J\n", {{1, 0}}),
            "D:1\n"
            "--------------------\n"
            "   1 | >>> FROM a\n"
            "   2 |     RUN ?[2J\n"
            "--------------------\n");
  EXPECT_EQ(SourceExcerpt("D", "a\nb\n", {{2, 900000000}}),
            "D:2\n--------------------\n   1 |     a\n   2 | >>> b\n--------------------\n");
}

TEST(SourceExcerpt, IsEmptyWithoutAUsableRange) {
  EXPECT_EQ(SourceExcerpt("D", kFile, {}), "");
  EXPECT_EQ(SourceExcerpt("D", kFile, {{0, 0}}), "");
  EXPECT_EQ(SourceExcerpt("D", kFile, {{900, 901}}), "");
  EXPECT_EQ(SourceExcerpt("D", kFile, {{-3, 2}}), "");
}

TEST(SourceExcerpt, IsBoundedAndLinear) {
  std::string source;
  for (int i = 0; i < 300'000; ++i)
    source += "x\n";
  std::vector<SourceRange> ranges(1000, {1, 300'000});
  std::string excerpt = SourceExcerpt("D", source, ranges);
  EXPECT_LT(excerpt.size(), 20'000U);
  EXPECT_NE(excerpt.find("\n ... |\n"), std::string::npos);
}

}  // namespace
}  // namespace depot::excerpt_test
