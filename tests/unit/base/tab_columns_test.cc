#include "driver/base/tab_columns.h"

#include <gtest/gtest.h>

namespace depot::tab_columns_test {
namespace {

TEST(TabColumns, CellsAboveEachOtherAreOfOneWidth) {
  EXPECT_EQ(AlignTabs("Name:\tx\nMediaType:\ty\n"), "Name:      x\nMediaType: y\n");
  EXPECT_EQ(AlignTabs("\t\nManifests:\t\n"), "           \nManifests: \n");
}

TEST(TabColumns, ALineWithoutTheCellEndsTheColumn) {
  EXPECT_EQ(AlignTabs("a\t1\nlabels:\n\tlong:\t2\n\tx:\t3\nbb\t4\n"),
            "a 1\nlabels:\n   long: 2\n   x:    3\nbb 4\n");
}

TEST(TabColumns, WithTabs) {
  EXPECT_EQ(AlignTabs("ID\tSIZE\n0123456789\t1\n", {1, 1, true}), "ID\t\tSIZE\n0123456789\t1\n");
}

}  // namespace
}  // namespace depot::tab_columns_test
