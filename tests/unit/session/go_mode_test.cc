#include "driver/session/go_mode.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace depot::session::go_mode_test {
namespace {

TEST(GoMode, RoundTripsEveryKindAndSpecialBit) {
  for (std::uint32_t mode : {S_IFREG | 0644U, S_IFDIR | 01777U, S_IFLNK | 0777U, S_IFIFO | 0600U,
                             S_IFCHR | 0620U, S_IFBLK | 0660U, S_IFREG | 06755U}) {
    Result<std::uint32_t> back = FromGoMode(ToGoMode(mode));
    ASSERT_TRUE(back) << std::oct << mode;
    EXPECT_EQ(*back, mode) << std::oct << mode;
  }
}

TEST(GoMode, HasTheBitsOfGo) {
  EXPECT_EQ(ToGoMode(S_IFDIR | 0755), 0x800001edU);
  EXPECT_EQ(ToGoMode(S_IFLNK | 0777), 0x080001ffU);
  EXPECT_EQ(ToGoMode(S_IFCHR | 0600), 0x04200180U);
  EXPECT_EQ(ToGoMode(S_IFREG | S_ISUID | 0755), 0x008001edU);
}

TEST(GoMode, SendsASocketAsARegularFile) {
  EXPECT_EQ(ToGoMode(S_IFSOCK | 0700), 0700U);
}

TEST(GoMode, RefusesWhatIsNoKindOfFile) {
  EXPECT_FALSE(FromGoMode(kGoDirectory | kGoSymlink));
  EXPECT_FALSE(FromGoMode(kGoIrregular | 0644));
  EXPECT_FALSE(FromGoMode(kGoSocket | 0644));
  EXPECT_FALSE(FromGoMode(kGoCharDevice | 0644));
}

}  // namespace
}  // namespace depot::session::go_mode_test
