#include "driver/files/beneath.h"

#include <cerrno>

#include <gtest/gtest.h>

#include "tests/unit/files/temporary_tree.h"

namespace depot::files::beneath_test {
namespace {

TEST(PathDefect, NamesWhatIsWrong) {
  for (const char* fine : {"a", "a/b", "...", "..a/b..", ".a"})
    EXPECT_EQ(PathDefect(fine), "");
  for (const char* bad :
       {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a/../b"}) {
    EXPECT_NE(PathDefect(bad), "") << bad;
  }
  EXPECT_NE(PathDefect(std::string_view("a\0b", 3)), "");
  EXPECT_EQ(PathDefect(std::string(255, 'x')), "");
  EXPECT_NE(PathDefect(std::string(256, 'x')), "");
  std::string deep = "d";
  while (deep.size() < 4096)
    deep += "/d";
  EXPECT_NE(PathDefect(deep), "");
}

TEST(OpenBeneath, TheStepwiseWayRefusesWhatOpenat2Refuses) {
  TemporaryTree outside;
  outside.File("secret");
  TemporaryTree tree;
  tree.File("dir/sub/file");
  tree.Symlink("dir/out", outside.root());
  tree.Symlink("dir/in", "sub");
  tree.Symlink("last", "dir/sub/file");
  const Fd root(open(tree.root().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (const char* path : {"dir/sub/file", "dir", "."}) {
    EXPECT_TRUE(Fd(OpenBeneath(root.get(), path, O_RDONLY)).valid()) << path;
    EXPECT_TRUE(Fd(OpenBeneathStepwise(root.get(), path, O_RDONLY)).valid()) << path;
  }
  for (const char* path : {"dir/out/secret", "dir/in/file", "last"}) {
    const int direct = OpenBeneath(root.get(), path, O_RDONLY);
    EXPECT_TRUE(direct == -ELOOP || direct == -ENOTDIR) << path << " " << direct;
    const int stepwise = OpenBeneathStepwise(root.get(), path, O_RDONLY);
    EXPECT_TRUE(stepwise == -ELOOP || stepwise == -ENOTDIR) << path << " " << stepwise;
  }
  EXPECT_EQ(OpenBeneath(root.get(), "dir/none/x", O_RDONLY), -ENOENT);
  EXPECT_EQ(OpenBeneathStepwise(root.get(), "dir/none/x", O_RDONLY), -ENOENT);
}

}  // namespace
}  // namespace depot::files::beneath_test
