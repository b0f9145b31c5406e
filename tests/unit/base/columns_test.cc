#include "driver/base/columns.h"

#include <gtest/gtest.h>

namespace depot::columns_test {
namespace {

TEST(Columns, CountsCells) {
  EXPECT_EQ(Columns(""), 0U);
  EXPECT_EQ(Columns("abc"), 3U);
  EXPECT_EQ(Columns("\u00e9\u00fc"), 2U);
  EXPECT_EQ(Columns("\u4f60\u597d"), 4U);          // wide
  EXPECT_EQ(Columns("e\u0301"), 1U);               // combining
  EXPECT_EQ(Columns("\U0001F600"), 2U);            // emoji
  EXPECT_EQ(Columns("\x1b[31mred\x1b[0m"), 3U);    // colours
  EXPECT_EQ(Columns("a\tb"), 9U);                  // tab
  EXPECT_EQ(Columns("\x1b[3"), 0U);                // cut sequence
  EXPECT_EQ(Columns("\xe4\xbd"), Columns("\xe4"))  // cut characters
      << "no more than what is there";
}

TEST(FitColumns, CutsBetweenCharacters) {
  EXPECT_EQ(FitColumns("abc", 5), "abc");
  EXPECT_EQ(FitColumns("abc", 2), "ab");
  EXPECT_EQ(FitColumns("abc", 0), "");
  EXPECT_EQ(FitColumns("\u4f60\u597d", 3), "\u4f60");
  EXPECT_EQ(FitColumns("e\u0301x", 1), "e\u0301");
  EXPECT_EQ(FitColumns("a\tb", 20), "a       b");
  EXPECT_EQ(FitColumns("a\tb", 5), "a");
}

TEST(FitColumns, EndsColours) {
  EXPECT_EQ(FitColumns("\x1b[31mred", 2), "\x1b[31mre\x1b[0m");
}

}  // namespace
}  // namespace depot::columns_test
