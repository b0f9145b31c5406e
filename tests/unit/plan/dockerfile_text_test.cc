#include "plugin/plan/dockerfile_text.h"

#include <gtest/gtest.h>

#include "plugin/plan/source_files.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::plan::dockerfile_text_test {
namespace {

class DockerfileTextTest : public testing::Test {
 protected:
  DockerfileTextTest() {
    source_.filename = "Dockerfile";
    source_.trees["context"].directory = tree_.root();
    source_.trees["dockerfile"].directory = tree_.root();
    tree_.File("Dockerfile", "FROM scratch\n");
  }

  std::optional<solve::DockerfileText> Read() {
    auto trees = OpenTrees(source_);
    EXPECT_TRUE(trees);
    return ReadDockerfileText(source_, *trees);
  }

  files::TemporaryTree tree_;
  Source source_;
};

TEST_F(DockerfileTextTest, WithTheIgnoreFileInForce) {
  auto read = Read();
  ASSERT_TRUE(read);
  EXPECT_EQ(read->name, "Dockerfile");
  EXPECT_EQ(read->text, "FROM scratch\n");
  EXPECT_EQ(read->ignore, "");
  tree_.File(".dockerignore", "a\n");
  EXPECT_EQ(Read()->ignore, "a\n");
  tree_.File("Dockerfile.dockerignore", "b\n");
  EXPECT_EQ(Read()->ignore, "b\n");
}

TEST_F(DockerfileTextTest, ALinkIsFollowedAsTheBuilderFollowsIt) {
  tree_.File("real", "a\n");
  tree_.Symlink(".dockerignore", "real");
  EXPECT_EQ(Read()->ignore, "a\n");
}

TEST_F(DockerfileTextTest, WhatIsWrongWithTheIgnoreFileIsForTheBuilderToSay) {
  tree_.Symlink(".dockerignore", "/etc/hostname");
  EXPECT_EQ(Read()->ignore, std::nullopt) << "leads out of the context";
  for (const std::string& text :
       {std::string("a[\n"), std::string(70'000, 'a'), std::string(300'000, '\n')}) {
    tree_.File("Dockerfile.dockerignore", text);
    EXPECT_FALSE(Read()) << "beside a Dockerfile in the call it would not be found";
  }
}

TEST_F(DockerfileTextTest, OnlyWhereTheFrontendTakesIt) {
  tree_.File("Dockerfile", "# syntax=docker/dockerfile:1.2\nFROM scratch\n");
  EXPECT_TRUE(Read());
  tree_.File("Dockerfile", "# syntax=example/mine\nFROM scratch\n");
  EXPECT_FALSE(Read());
  tree_.File("Dockerfile", std::string(17'000, '#'));
  EXPECT_FALSE(Read()) << "large";
  tree_.File("Dockerfile", "FROM scratch\n");
  source_.trees.erase("context");
  EXPECT_FALSE(Read()) << "the context is a URL";
}

}  // namespace
}  // namespace depot::plan::dockerfile_text_test
