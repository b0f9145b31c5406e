#include "plugin/progress/screen.h"

#include <gtest/gtest.h>

namespace depot::screen_test {
namespace {

TEST(Screen, DrawsOverWhatChangedAlone) {
  Screen screen(true);
  EXPECT_EQ(screen.Show({"", {"one", "two"}}, {80, 24}), "one\x1b[K\ntwo\x1b[K\n");
  EXPECT_EQ(screen.Show({"", {"one", "two"}}, {80, 24}), "");
  EXPECT_EQ(screen.Show({"", {"one", "2"}}, {80, 24}), "\r\x1b[2A\n2\x1b[K\n");
  EXPECT_EQ(screen.Show({"", {"one"}}, {80, 24}), "\r\x1b[2A\n\x1b[J");
}

TEST(Screen, LinesThatStayScrollUp) {
  Screen screen(true);
  EXPECT_EQ(screen.Show({"first\n", {"live"}}, {80, 24}), "first\nlive\x1b[K\n");
  EXPECT_EQ(screen.Show({"second\n", {"live"}}, {80, 24}), "\r\x1b[1A\x1b[Jsecond\nlive\x1b[K\n");
  EXPECT_EQ(screen.Show({"last\n", {}}, {80, 24}), "\r\x1b[1A\x1b[Jlast\n");
  EXPECT_EQ(screen.Show({"more\n", {}}, {80, 24}), "more\n");
}

TEST(Screen, CountsTheRowsThatANarrowerTerminalMadeOfALine) {
  const Frame frame{"", {std::string(70, 'x'), "short"}};
  Screen reflowing(true);
  Screen still(false);
  for (Screen* screen : {&reflowing, &still})
    screen->Show(frame, {80, 24});
  EXPECT_EQ(reflowing.Show({"", {"y"}}, {20, 24}), "\r\x1b[5A\x1b[Jy\x1b[K\n");
  EXPECT_EQ(still.Show({"", {"y"}}, {20, 24}), "\r\x1b[2A\x1b[Jy\x1b[K\n");
}

TEST(Screen, WhatIsOfUncertainWidthCannotWrap) {
  Screen screen(true);
  EXPECT_EQ(screen.Show({"", {"\u4f60"}}, {80, 24}), "\x1b[?7l\u4f60\x1b[?7h\x1b[K\n");
}

}  // namespace
}  // namespace depot::screen_test
