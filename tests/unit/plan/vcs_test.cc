#include "plugin/plan/vcs.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "tests/unit/files/temporary_tree.h"

namespace depot::plan::vcs_test {
namespace {

const std::string kRevision(40, 'a');
const std::string kOther(40, 'b');

class VcsTest : public testing::Test {
 protected:
  VcsTest() {
    root_ = std::filesystem::canonical(tree_.root()).string();
    tree_.File("repo/app/Dockerfile");
    tree_.File("repo/.git/HEAD", kRevision);
    tree_.File("repo/.git/config", "[remote \"origin\"]\nurl = https://u:tok@h/p.git\n");
    options_.context = root_ + "/repo/app";
    source_.trees["context"].directory = options_.context;
    source_.trees["dockerfile"].directory = options_.context;
    source_.filename = "Dockerfile";
  }

  std::map<std::string, std::string> Attributes() {
    VcsFacts facts = DescribeVcs(options_, environment_, source_, Cancel::Never());
    notices_ = facts.notices;
    return facts.attributes;
  }

  files::TemporaryTree tree_;
  std::string root_;
  options::BuildOptions options_;
  Environment environment_;
  Source source_;
  std::vector<std::string> notices_;
};

using Attributes_ = std::map<std::string, std::string>;

TEST_F(VcsTest, OfACheckout) {
  const Attributes_ info = {{"vcs:revision", kRevision},
                            {"vcs:source", "https://h/p.git"},
                            {"vcs:localdir:context", "app"},
                            {"vcs:localdir:dockerfile", "app"}};
  EXPECT_EQ(Attributes(), info);
  EXPECT_TRUE(notices_.empty());
  const Attributes_ labels = {{"label:org.opencontainers.image.revision", kRevision},
                              {"label:org.opencontainers.image.source", "https://h/p.git"},
                              {"label:com.docker.image.source.entrypoint", "app/Dockerfile"}};
  environment_ = {{"BUILDX_GIT_LABELS", "full"}, {"BUILDX_GIT_INFO", "0"}};
  EXPECT_EQ(Attributes(), labels);
  environment_["BUILDX_GIT_LABELS"] = "1";
  EXPECT_EQ(Attributes(), labels);
  environment_["BUILDX_GIT_LABELS"] = "0";
  EXPECT_TRUE(Attributes().empty());
}

TEST_F(VcsTest, ADockerfileElsewhere) {
  environment_ = {{"BUILDX_GIT_LABELS", "1"}};
  tree_.File("repo/build/other");
  source_.trees["dockerfile"].directory = root_ + "/repo/build";
  source_.filename = "other";
  options_.file = root_ + "/repo/build/other";
  EXPECT_EQ(Attributes()["vcs:localdir:dockerfile"], "build");
  EXPECT_EQ(Attributes()["label:com.docker.image.source.entrypoint"], "build/other");
  tree_.File("out/other");
  source_.trees["dockerfile"].directory = root_ + "/out";
  options_.file = root_ + "/out/other";
  EXPECT_FALSE(Attributes().contains("vcs:localdir:dockerfile"));
  EXPECT_FALSE(Attributes().contains("label:com.docker.image.source.entrypoint"));
  options_.context = root_ + "/repo";
  source_.trees["context"].directory = options_.context;
  EXPECT_EQ(Attributes()["vcs:localdir:context"], ".");
}

TEST_F(VcsTest, OfAGitLabJobWithoutACheckout) {
  std::filesystem::remove_all(tree_.At("repo/.git"));
  EXPECT_TRUE(Attributes().empty());
  environment_ = {{"GITLAB_CI", "true"},
                  {"CI_PROJECT_DIR", root_ + "/repo"},
                  {"CI_COMMIT_SHA", kOther},
                  {"CI_PROJECT_URL", "https://x:tok@gitlab/g/p"}};
  const Attributes_ info = {{"vcs:revision", kOther},
                            {"vcs:source", "https://gitlab/g/p"},
                            {"vcs:localdir:context", "app"},
                            {"vcs:localdir:dockerfile", "app"}};
  EXPECT_EQ(Attributes(), info);
  environment_["CI_PROJECT_DIR"] = root_ + "/repo/other";
  tree_.Directory("repo/other");
  EXPECT_TRUE(Attributes().empty()) << "the job's project is elsewhere";
  environment_["CI_PROJECT_DIR"] = root_ + "/repo";
  environment_["CI_COMMIT_SHA"] = "no id";
  EXPECT_FALSE(Attributes().contains("vcs:revision"));
}

TEST_F(VcsTest, TheCheckoutCountsBeforeTheJob) {
  environment_ = {{"GITLAB_CI", "true"},
                  {"CI_PROJECT_DIR", root_ + "/repo"},
                  {"CI_COMMIT_SHA", kOther},
                  {"CI_PROJECT_URL", "https://gitlab/g/p"}};
  EXPECT_EQ(Attributes()["vcs:revision"], kRevision);
  EXPECT_EQ(Attributes()["vcs:source"], "https://h/p.git");
  std::filesystem::remove(tree_.At("repo/.git/config"));
  EXPECT_EQ(Attributes()["vcs:source"], "https://gitlab/g/p");
  tree_.File("repo/.git/HEAD", "broken");
  EXPECT_EQ(Attributes()["vcs:revision"], kOther);
  EXPECT_TRUE(notices_.empty());
}

TEST_F(VcsTest, WhatCannotBeReadIsSaid) {
  tree_.File("repo/.git/HEAD", "broken");
  EXPECT_TRUE(Attributes().empty());
  ASSERT_EQ(notices_.size(), 1u);
  EXPECT_NE(notices_[0].find("current commit information was not captured"), std::string::npos);
  environment_ = {{"BUILDX_GIT_INFO", "0"}};
  EXPECT_TRUE(Attributes().empty());
  EXPECT_TRUE(notices_.empty()) << "nobody asked";
  environment_ = {{"BUILDX_GIT_INFO", "maybe"}, {"BUILDX_GIT_LABELS", "some"}};
  EXPECT_TRUE(Attributes().empty());
  EXPECT_EQ(notices_.size(), 3u);
}

TEST_F(VcsTest, NothingOfWhatIsNotLocal) {
  source_ = Source();
  source_.context_url = "https://h/p.git";
  EXPECT_TRUE(Attributes().empty());
}

}  // namespace
}  // namespace depot::plan::vcs_test
