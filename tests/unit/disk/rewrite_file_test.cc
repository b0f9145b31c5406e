#include "driver/disk/rewrite_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace depot::disk::rewrite_file_test {
namespace {

class RewriteFileTest : public testing::Test {
 protected:
  RewriteFileTest() {
    char name[] = "/tmp/rewrite-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~RewriteFileTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void Put(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
  }
  std::string Text(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(Path(name)).rdbuf();
    return text.str();
  }

  std::string folder_;
};

TEST_F(RewriteFileTest, KeepsModeAndSymlinks) {
  Put("real", "old");
  chmod(Path("real").c_str(), 0640);
  std::filesystem::create_symlink("real", Path("link"));
  EXPECT_TRUE(RewriteFile(Path("link"), "old", "new").value());
  EXPECT_EQ(Text("real"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(Path("link")));
  EXPECT_EQ(std::filesystem::status(Path("real")).permissions(), std::filesystem::perms(0640));
}

TEST_F(RewriteFileTest, LeavesWhatAnotherHasChanged) {
  Put("file", "theirs");
  EXPECT_FALSE(RewriteFile(Path("file"), "old", "new").value());
  EXPECT_EQ(Text("file"), "theirs");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(RewriteFileTest, RefusesWhatIsNoFile) {
  EXPECT_EQ(RewriteFile(folder_, "", "new").error().code(), ErrorCode::kInvalid);
  EXPECT_EQ(RewriteFile(Path("gone"), "", "new").error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace depot::disk::rewrite_file_test
