#include "plugin/plan/git_url.h"

#include <gtest/gtest.h>

namespace depot::plan::git_url_test {
namespace {

TEST(GitUrl, IsWhatBuildKitTakesForOne) {
  for (const char* text :
       {"https://h/x.git", "http://u:p@h:1/x.git#main:sub", "https://h/x.git?branch=b", "git://h/x",
        "ssh://git@h/x", "git@h:x", "dev-1@h.example:team/x.git#ref", "github.com/o/n"}) {
    EXPECT_TRUE(ParseGitUrl(text).has_value()) << text;
    EXPECT_TRUE(IsRemoteContext(text)) << text;
  }
  for (const char* text : {"https://h/x", "https://h/x.git.tar", "https://h/x?y=.git", ".", "git",
                           "./git@h:x", "ftp://h/x.git", "@h:x", "u@h"}) {
    EXPECT_FALSE(ParseGitUrl(text).has_value()) << text;
  }
  EXPECT_TRUE(IsRemoteContext("https://h/x"));
  EXPECT_FALSE(IsRemoteContext("dir/"));
}

TEST(GitUrl, KnowsSshAndQueries) {
  EXPECT_TRUE(ParseGitUrl("git@h:x")->over_ssh);
  EXPECT_TRUE(ParseGitUrl("ssh://h/x")->over_ssh);
  EXPECT_FALSE(ParseGitUrl("https://git@h/x.git")->over_ssh);
  EXPECT_TRUE(ParseGitUrl("https://h/x.git?branch=b#r")->has_query);
  EXPECT_TRUE(ParseGitUrl("git@h:x?branch=b")->has_query);
  EXPECT_FALSE(ParseGitUrl("https://h/x.git#a?b")->has_query);
  EXPECT_FALSE(ParseGitUrl("https://h/x.git?")->has_query);
}

}  // namespace
}  // namespace depot::plan::git_url_test
