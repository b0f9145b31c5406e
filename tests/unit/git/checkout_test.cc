#include "driver/git/checkout.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/files/temporary_tree.h"

namespace depot::git::checkout_test {
namespace {

const std::string kOne(40, 'a');
const std::string kTwo(64, 'b');

class CheckoutTest : public testing::Test {
 protected:
  CheckoutTest() : root_(std::filesystem::canonical(tree_.root()).string()) {}

  /// A repository in `folder` with a branch main at kOne and a remote.
  void Repository(const std::string& folder = "repo/.git") {
    tree_.File(folder + "/HEAD", "ref: refs/heads/main\n");
    tree_.File(folder + "/refs/heads/main", kOne + "\n");
    tree_.File(folder + "/config", "[remote \"origin\"]\n\turl = https://u:tok@h/g/p.git\n");
    tree_.Directory("repo/sub/deep");
  }

  Checkout Good(const std::string& folder = "repo") {
    auto read = ReadCheckout(tree_.At(folder));
    EXPECT_TRUE(read && *read) << (read ? "none" : read.error().message());
    return read && *read ? **read : Checkout();
  }

  std::string Bad(const std::string& folder = "repo") {
    auto read = ReadCheckout(tree_.At(folder));
    EXPECT_FALSE(read);
    return read ? "" : read.error().message();
  }

  files::TemporaryTree tree_;
  const std::string root_;
};

TEST_F(CheckoutTest, ABranchAndItsRemote) {
  Repository();
  for (const char* folder : {"repo", "repo/sub/deep"}) {
    Checkout checkout = Good(folder);
    EXPECT_EQ(checkout.root, root_ + "/repo");
    EXPECT_EQ(checkout.revision, kOne);
    EXPECT_EQ(checkout.remote, "https://h/g/p.git");
  }
}

TEST_F(CheckoutTest, ACommitByItself) {
  Repository();
  tree_.File("repo/.git/HEAD", kTwo + "\n");
  EXPECT_EQ(Good().revision, kTwo);
}

TEST_F(CheckoutTest, PackedRefsAndTheRemoteOfTheBranch) {
  Repository();
  tree_.File("repo/.git/HEAD", "ref: refs/heads/a/b\n");
  tree_.File("repo/.git/packed-refs", "# pack-refs with: peeled fully-peeled sorted \n" + kTwo +
                                          " refs/heads/a\n^" + kTwo + "\n" + kOne +
                                          " refs/heads/a/b\n");
  tree_.File("repo/.git/config",
             "[remote \"origin\"]\nurl = /x\n[remote \"fork\"]\nurl = git@h:f/p.git\nurl = second\n"
             "[branch \"a/b\"]\nremote = fork\n");
  EXPECT_EQ(Good().revision, kOne);
  EXPECT_EQ(Good().remote, "git@h:f/p.git");
  tree_.File("repo/.git/config", "[remote \"upstream\"]\nurl = ssh://git@h/p\n");
  EXPECT_EQ(Good().remote, "ssh://h/p");
}

TEST_F(CheckoutTest, WithoutACommitOrARemote) {
  tree_.File("repo/.git/HEAD", "ref: refs/heads/main\n");
  EXPECT_EQ(Good().revision, "");
  EXPECT_EQ(Good().remote, "");
}

TEST_F(CheckoutTest, NoneWhereNothingIs) {
  tree_.Directory("plain/.git");
  auto read = ReadCheckout(tree_.At("plain"));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_FALSE(*read) << "a folder without a HEAD is no repository";
}

TEST_F(CheckoutTest, AWorktreeAndASubmodule) {
  Repository();
  tree_.File("repo/.git/worktrees/w/HEAD", "ref: refs/heads/side\n");
  tree_.File("repo/.git/worktrees/w/commondir", "../..\n");
  tree_.File("repo/.git/worktrees/w/gitdir", tree_.At("w/.git") + "\n");
  tree_.File("repo/.git/refs/heads/side", kTwo);
  tree_.File("w/.git", "gitdir: " + tree_.At("repo/.git/worktrees/w") + "\n");
  EXPECT_EQ(Good("w").revision, kTwo);
  EXPECT_EQ(Good("w").remote, "https://h/g/p.git");
  EXPECT_EQ(Good("w").root, root_ + "/w");

  Repository("repo/.git/modules/m");
  tree_.File("repo/.git/modules/m/config", "[core]\nworktree = ../../../m\n");
  tree_.File("repo/m/.git", "gitdir: ../.git/modules/m");
  EXPECT_EQ(Good("repo/m").root, root_ + "/repo/m");
  EXPECT_EQ(Good("repo/m").revision, kOne);
}

TEST_F(CheckoutTest, AnothersRepositoryIsNotLookedInto) {
  Repository();
  tree_.File("evil/.git", "gitdir: " + tree_.At("repo/.git") + "\n");
  EXPECT_NE(Bad("evil").find("is not the repository of this checkout"), std::string::npos);
  tree_.File("evil/.git", "gitdir: mine\n");
  tree_.File("evil/mine/HEAD", "ref: refs/heads/main\n");
  tree_.File("evil/mine/gitdir", "../.git");
  tree_.File("evil/mine/commondir", tree_.At("repo/.git"));
  EXPECT_NE(Bad("evil").find("is not the repository of this checkout"), std::string::npos);
  std::filesystem::remove_all(tree_.At("evil"));
  tree_.Symlink("evil/.git", tree_.At("repo/.git"));
  EXPECT_NE(Bad("evil").find("is neither a folder nor a file"), std::string::npos);
  std::filesystem::remove_all(tree_.At("evil"));
  Repository("evil/.git");
  std::filesystem::remove(tree_.At("evil/.git/refs/heads/main"));
  tree_.Symlink("evil/.git/refs/heads/main", tree_.At("repo/.git/refs/heads/main"));
  EXPECT_NE(Bad("evil").find("is a symbolic link"), std::string::npos);
}

TEST_F(CheckoutTest, WhatIsBrokenIsAnErrorAndCostsNothing) {
  Repository();
  auto bad = [&](const std::string& name, const std::string& text, std::string_view says) {
    tree_.File("repo/.git/" + name, text);
    const std::string message = Bad();
    EXPECT_NE(message.find(says), std::string::npos) << message;
    Repository();
  };
  bad("HEAD", "", "HEAD names no commit");
  bad("HEAD", "ref: ../../secret", "HEAD names no commit");
  bad("HEAD", "ref: refs/../../secret", "HEAD names no commit");
  bad("HEAD", "ref: refs/heads/a\nb", "HEAD names no commit");
  bad("HEAD", std::string(5000, 'a'), "larger than");
  bad("HEAD", "ref: refs/heads/.invalid", "reftable");
  bad("refs/heads/main", "ref: refs/heads/main", "leads round in circles");
  bad("refs/heads/main", "what?", "names no commit");
  bad("config", "[", "line 1 is malformed");
}

TEST_F(CheckoutTest, APipeIsNotWaitedFor) {
  Repository();
  for (const char* name : {"config", "HEAD"}) {
    std::filesystem::remove(tree_.At(std::string("repo/.git/") + name));
    ASSERT_EQ(::mkfifo(tree_.At(std::string("repo/.git/") + name).c_str(), 0600), 0);
    EXPECT_NE(Bad().find("is not a regular file"), std::string::npos);
  }
  tree_.Directory("pipe");
  ASSERT_EQ(::mkfifo(tree_.At("pipe/.git").c_str(), 0600), 0);
  EXPECT_NE(Bad("pipe").find("is neither a folder nor a file"), std::string::npos);
}

TEST(SourceUrl, HasNoUser) {
  for (const auto& [url, shown] : std::vector<std::pair<std::string, std::string>>{
           {"https://gitlab-ci-token:tok@h:8443/g/p.git", "https://h:8443/g/p.git"},
           {"https://tok@h/p?private_token=s", "https://h/p?private_token=xxxxx"},
           {"ssh://git@h:22/p", "ssh://h:22/p"},
           {"https://h/p@v", "https://h/p@v"},
           {"git@h:g/p.git", "git@h:g/p.git"},
           {"u:tok@h:g/p.git", "h:g/p.git"},
           {"../other", "../other"},
           {"/srv/a@b:c", "/srv/a@b:c"},
           {"a\nb", ""},
           {std::string(3000, 'a'), ""},
           {"", ""}}) {
    EXPECT_EQ(SourceUrl(url), shown);
  }
}

}  // namespace
}  // namespace depot::git::checkout_test
