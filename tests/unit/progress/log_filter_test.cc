#include "plugin/progress/log_filter.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace depot::log_filter_test {
namespace {

using Lines = std::vector<std::string>;

Lines Filter(std::string_view bytes, bool colours = false, std::size_t limit = 1 << 20) {
  LogFilter filter(colours);
  Lines lines;
  filter.Feed(bytes, limit, lines);
  if (filter.open()) lines.push_back(filter.TakeOpen());
  return lines;
}

TEST(LogFilter, CutsIntoLinesWhereverTheChunksEnd) {
  const std::string text = "one\n\ntw\xC3\xB6\n\x1b[1mthree\x1b]0;title\x07!\r\nfour \xE2\x82\xAC";
  const Lines want = {"one", "", "tw\xC3\xB6", "three!", "four \xE2\x82\xAC"};
  EXPECT_EQ(Filter(text), want);
  for (std::size_t size = 1; size < 7; ++size) {
    LogFilter filter(false);
    Lines lines;
    for (std::size_t at = 0; at < text.size(); at += size) {
      filter.Feed(text.substr(at, size), 1000, lines);
    }
    lines.push_back(filter.TakeOpen());
    EXPECT_EQ(lines, want) << size;
  }
}

TEST(LogFilter, RemovesWhatCouldRewriteTheScreen) {
  EXPECT_EQ(Filter("a\x1b[2J\x1b[1;1Hb\x1b[3Ac\n"), Lines{"abc"});
  EXPECT_EQ(Filter("a\x1b]0;new title\x07"
                   "b\x1b]8;;http://x\x1b\\c\n"),
            Lines{"abc"});
  EXPECT_EQ(Filter("a\x1b[?1049h\x1b[?25l\x1b"
                   "c\x1b(0b\n"),
            Lines{"ab"});
  EXPECT_EQ(Filter("a\x1bP1$r\x1b\\b\x1b_apc\x1b\\c\x1b^pm\x07"
                   "d\n"),
            Lines{"abcd"});
  EXPECT_EQ(Filter("a\a\v\f\x7f\x0e\x0f\x05z\n"), Lines{"az"});
  EXPECT_EQ(Filter("a\tb\n"), Lines{"a\tb"});
}

TEST(LogFilter, ReplacesInvalidUtf8AndC1Controls) {
  EXPECT_EQ(Filter("a\xFFz\n"), Lines{"a\xEF\xBF\xBDz"});
  EXPECT_EQ(Filter("a\x9B"
                   "31mz\n"),
            Lines{"a\xEF\xBF\xBD"
                  "31mz"});
  EXPECT_EQ(Filter("a\xC2\x9B"
                   "2Jz\n"),
            Lines{"a?2Jz"});
  EXPECT_EQ(Filter("a\xE2\x82\n"), (Lines{"a\xEF\xBF\xBD\xEF\xBF\xBD"}));
  EXPECT_EQ(Filter("\xE2\x82\x1b[1mz\n"), (Lines{"\xEF\xBF\xBD\xEF\xBF\xBDz"}));
}

TEST(LogFilter, KeepsColoursOnlyWhenAskedAndClosesThem) {
  EXPECT_EQ(Filter("\x1b[31mred\x1b[0m plain\n", true), Lines{"\x1b[31mred\x1b[0m plain"});
  EXPECT_EQ(Filter("\x1b[31mred\n", false), Lines{"red"});
  EXPECT_EQ(Filter("\x1b[1;38;5;8mred\nstill\x1b[mnot\n", true),
            (Lines{"\x1b[1;38;5;8mred\x1b[0m", "\x1b[1;38;5;8mstill\x1b[0mnot"}));
}

TEST(LogFilter, RefusesColoursThatHideText) {
  EXPECT_EQ(Filter("\x1b[8mhidden\n", true), Lines{"hidden"});
  EXPECT_EQ(Filter("\x1b[1;08mhidden\n", true), Lines{"hidden"});
  EXPECT_EQ(Filter("\x1b[38;5;1;8mhidden\n", true), Lines{"hidden"});
  EXPECT_EQ(Filter("\x1b[>4;1mx\x1b[?4mx\x1b[1 mx\n", true), Lines{"xxx"});
}

TEST(LogFilter, ShowsTheLastStateOfARewrittenLine) {
  EXPECT_EQ(Filter(" 10%\r 50%\r\x1b[K100%\ndone\r\n"), (Lines{"100%", "done"}));
  EXPECT_EQ(Filter("10%\r50%\r\n"), Lines{"50%"});
  EXPECT_EQ(Filter("10%\b\b\b20%\n"), Lines{"20%"});
  EXPECT_EQ(Filter("\xC3\xB6\bo\n\b\b\n"), (Lines{"o", ""}));
}

TEST(LogFilter, AnUnfinishedSequenceCannotSwallowLines) {
  EXPECT_EQ(Filter("a\x1b]0;never ends\nb\x1b[12\nc\x1b\nd\n"), (Lines{"a", "b", "c", "d"}));
  Lines long_title = Filter("\x1b]0;" + std::string(100000, 'x') + "end\n");
  ASSERT_EQ(long_title.size(), 1u);
  EXPECT_TRUE(long_title[0].ends_with("xend"));
}

TEST(LogFilter, CutsEndlessLines) {
  Lines lines = Filter(std::string(2500, 'x'), false, 1000);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].size(), 1000u);
  LogFilter filter(true);
  lines.clear();
  for (int i = 0; i < 100000; ++i)
    filter.Feed("\x1b[1m", 1000, lines);
  EXPECT_LT(filter.size(), 2000u);
}

TEST(LogFilter, BackspacesCostNoMoreThanWhatTheyTakeBack) {
  const std::size_t many = 1 << 20;
  std::string bytes = std::string(many, 'x') + std::string(many - 1, '\b') + "y\n";
  EXPECT_EQ(Filter(bytes, false, 4 << 20), Lines{"xy"});
}

TEST(LogFilter, TextInAnyScriptStaysAndWhatReordersItGoes) {
  const std::string arabic = "\u0645\u0631\u062d\u0628\u0627";
  EXPECT_EQ(Filter(arabic + "\n"), Lines{arabic});
  EXPECT_EQ(Filter("a\u202e\u2066b\u200f\u061c\u200b\ufeffc\n"), Lines{"abc"});
  EXPECT_EQ(Filter("a\u2028#9 DONE\n"), Lines{"a #9 DONE"});
  EXPECT_EQ(Filter("kept\r\u200b\n"), Lines{"kept"}) << "nothing was written over it";
}

}  // namespace
}  // namespace depot::log_filter_test
