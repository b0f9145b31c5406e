#include "driver/disk/temporary_folder.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace depot::disk::temporary_folder_test {
namespace {

TEST(TemporaryFolder, IsItsOwnersAndGoesWithWhatIsInIt) {
  const std::string place = testing::TempDir();
  std::string path;
  {
    auto made = TemporaryFolder::Make(place);
    ASSERT_TRUE(made);
    const TemporaryFolder folder = *std::move(made);
    path = folder.path();
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0700u);
    std::filesystem::create_directory(path + "/sub");
    std::ofstream(path + "/sub/file") << "x";
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TemporaryFolder, SaysWhereItCannotBe) {
  const auto made = TemporaryFolder::Make("/proc/nowhere");
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message().find("/proc/nowhere"), std::string::npos);
}

}  // namespace
}  // namespace depot::disk::temporary_folder_test
