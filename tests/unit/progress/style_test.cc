#include "plugin/progress/style.h"

#include <gtest/gtest.h>

namespace depot::style_test {
namespace {

struct Read {
  Style style;
  std::vector<std::string> lines;
};

Read ReadFrom(const Environment& environment) {
  Read read;
  read.style = ReadStyle(environment, read.lines);
  return read;
}

TEST(Style, HasColoursUnlessTheUserWantsNone) {
  EXPECT_EQ(ReadFrom({}).style.colours, Colours());
  EXPECT_TRUE(ReadFrom({}).style.tools_colours);
  for (const Environment& environment :
       {Environment{{"NO_COLOR", "1"}}, Environment{{"TERM", "dumb"}}}) {
    Read read = ReadFrom(environment);
    EXPECT_EQ(Painted(read.style.colours.error, "x"), "x");
    EXPECT_FALSE(read.style.tools_colours);
  }
  EXPECT_TRUE(ReadFrom({{"TERM", "dumb"}, {"GITLAB_CI", "true"}}).style.tools_colours);
}

TEST(Style, TakesBuildkitsColours) {
  Read read = ReadFrom({{"BUILDKIT_COLORS", "run=green:error=1,20,255:warning=light-red:x=y:run"}});
  EXPECT_EQ(read.style.colours.run, "\x1b[32m");
  EXPECT_EQ(read.style.colours.error, "\x1b[38;2;1;20;255m");
  EXPECT_EQ(read.style.colours.warning, "\x1b[91m");
  EXPECT_EQ(read.style.colours.cancel, Colours().cancel);
  EXPECT_EQ(read.lines.size(), 2U);
  EXPECT_EQ(ReadFrom({{"BUILDKIT_COLORS", "run=1,2,256"}}).lines.size(), 1U);
}

TEST(Style, TakesNumbersAndSaysWhatIsNone) {
  Read read = ReadFrom({{"BUILDKIT_TTY_LOG_LINES", "12"}, {"TTY_DISPLAY_RATE", "500"}});
  EXPECT_EQ(read.style.log_lines, 12U);
  EXPECT_EQ(read.style.pace, std::chrono::milliseconds(500));
  EXPECT_EQ(read.style.tick, std::chrono::milliseconds(500));
  EXPECT_TRUE(read.lines.empty());
  read = ReadFrom({{"BUILDKIT_TTY_LOG_LINES", "-1"}, {"TTY_DISPLAY_RATE", "0"}});
  EXPECT_EQ(read.style.log_lines, Style().log_lines);
  EXPECT_EQ(read.lines.size(), 2U);
}

TEST(Style, NamesAreWholeUnlessTheyAreToBeCut) {
  EXPECT_EQ(ReadFrom({}).style.name_limit, 0U);
  EXPECT_EQ(ReadFrom({{"PROGRESS_NO_TRUNC", "1"}}).style.name_limit, 0U);
  EXPECT_EQ(ReadFrom({{"PROGRESS_NO_TRUNC", "0"}}).style.name_limit, 72U);
}

}  // namespace
}  // namespace depot::style_test
