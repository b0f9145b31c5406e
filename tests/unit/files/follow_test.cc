#include "driver/files/follow.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::files::follow_test {
namespace {

using Paths = std::vector<std::string>;

Paths Follow(const TemporaryTree& tree, const Paths& paths) {
  const Fd root(open(tree.root().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto found = ResolveFollowPaths(root.get(), paths, Cancel::Never());
  EXPECT_TRUE(found.has_value()) << (found ? "" : found.error().message());
  return found.value_or(Paths{});
}

TEST(FollowPaths, AddSymlinksAndWhatTheyLeadTo) {
  TemporaryTree tree;
  tree.File("dir/file");
  tree.Symlink("dir/one", "file");
  tree.Symlink("two", "dir/one");
  EXPECT_EQ(Follow(tree, {"two", "other"}), (Paths{"dir/file", "dir/one", "other", "two"}));
}

TEST(FollowPaths, SymlinkedDirectoriesOnTheWay) {
  TemporaryTree tree;
  tree.File("v1/lib/a");
  tree.File("v1/lib/b");
  tree.Symlink("current", "v1");
  EXPECT_EQ(Follow(tree, {"current/lib/a", "current/lib/b"}),
            (Paths{"current", "v1/lib/a", "v1/lib/b"}));
}

TEST(FollowPaths, AbsoluteTargetsStartAtTheTreesRootAndDotDotStopsThere) {
  TemporaryTree tree;
  tree.File("etc/file");
  tree.Symlink("absolute", "/etc/file");
  tree.Symlink("escape", "../../../../etc/file");
  tree.Symlink("sub/up", "../../etc/file");
  EXPECT_EQ(Follow(tree, {"absolute"}), (Paths{"absolute", "etc/file"}));
  EXPECT_EQ(Follow(tree, {"escape"}), (Paths{"escape", "etc/file"}));
  EXPECT_EQ(Follow(tree, {"sub/up"}), (Paths{"etc/file", "sub/up"}));
  EXPECT_EQ(Follow(tree, {"../../etc/../etc/file", "/etc/file"}), Paths{"etc/file"});
}

TEST(FollowPaths, TheRootItselfIsEverything) {
  TemporaryTree tree;
  tree.Symlink("top", "/");
  EXPECT_EQ(Follow(tree, {"."}), Paths{"."});
  EXPECT_EQ(Follow(tree, {""}), Paths{"."});
  EXPECT_EQ(Follow(tree, {"top"}), (Paths{".", "top"}));
}

TEST(FollowPaths, WhatDoesNotExistIsKept) {
  TemporaryTree tree;
  tree.File("file");
  EXPECT_EQ(Follow(tree, {"a/b/c", "file/x", "no*/x?"}), (Paths{"a/b/c", "file/x", "no*/x?"}));
}

TEST(FollowPaths, WildcardsFollowTheSymlinksTheyMatch) {
  TemporaryTree tree;
  tree.File("a/real1");
  tree.File("a/real2");
  tree.File("dir/lfile");
  tree.Symlink("dir/l1", "/a/real1");
  tree.Symlink("dir/l2", "../a/real2");
  tree.Symlink("dir/other", "/nowhere");
  EXPECT_EQ(Follow(tree, {"dir/l*"}), (Paths{"a/real1", "a/real2", "dir/l*"}));
  EXPECT_EQ(Follow(tree, {"dir/[o]ther"}), (Paths{"dir/[o]ther", "nowhere"}));
  EXPECT_EQ(Follow(tree, {"dir/lf*"}), Paths{"dir/lf*"});
}

TEST(FollowPaths, NamesThatLookLikePatternsAreTakenLiterally) {
  TemporaryTree tree;
  tree.File("x[1]*");
  tree.File("!bang");
  tree.File("blank ");
  tree.Symlink("to_pattern", "x[1]*");
  tree.Symlink("to_bang", "!bang");
  tree.Symlink("to_blank", "blank ");
  tree.Symlink("star*", "blank ");
  EXPECT_EQ(Follow(tree, {"to_pattern"}), (Paths{"to_pattern", "x\\[1\\]\\*"}));
  EXPECT_EQ(Follow(tree, {"to_bang"}), (Paths{"\\!bang", "to_bang"}));
  EXPECT_EQ(Follow(tree, {"to_blank"}), (Paths{"blank[ ]", "to_blank"}));
  EXPECT_EQ(Follow(tree, {"star\\*"}), (Paths{"blank[ ]", "star\\*"}));
}

TEST(FollowPaths, LoopsEnd) {
  TemporaryTree tree;
  tree.Symlink("self", "self");
  tree.Symlink("ping", "pong");
  tree.Symlink("pong", "ping");
  tree.Symlink("grow", "grow/deeper");
  tree.Symlink("dot", ".");
  EXPECT_EQ(Follow(tree, {"self", "ping"}), (Paths{"ping", "pong", "self"}));
  EXPECT_EQ(Follow(tree, {"grow/x"}), Paths{"grow"});
  EXPECT_EQ(Follow(tree, {"dot/dot/dot/self"}), (Paths{"dot", "self"}));
  std::string stars = "*";
  for (int i = 0; i < 30; ++i)
    stars += "/*";
  EXPECT_FALSE(Follow(tree, {stars}).empty());
}

TEST(FollowPaths, BytesThatAreNotUtf8AreFine) {
  TemporaryTree tree;
  tree.File("\xFF\xFE/file");
  tree.Symlink("\xC0link", "\xFF\xFE");
  EXPECT_EQ(Follow(tree, {"\xC0link/file"}), (Paths{"\xC0link", "\xFF\xFE/file"}));
}

TEST(FollowPaths, StopWhenCancelled) {
  TemporaryTree tree;
  CancelSource source;
  source.Request(Error(ErrorCode::kCancelled, "stop"));
  const Fd root(open(tree.root().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  EXPECT_FALSE(ResolveFollowPaths(root.get(), {"a"}, source.cancel()).has_value());
}

}  // namespace
}  // namespace depot::files::follow_test
