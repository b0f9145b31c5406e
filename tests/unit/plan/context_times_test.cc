#include "plugin/plan/context_times.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::plan::context_times_test {
namespace {

using options::ContextTimes;

class ContextTimesPlanTest : public testing::Test {
 protected:
  ContextTimesPlanTest() {
    root_ = std::filesystem::canonical(tree_.root()).string();
    tree_.File("repo/app/Dockerfile");
    tree_.Directory("lib");
    source_.trees["context"].directory = root_ + "/repo/app";
    source_.trees["dockerfile"].directory = root_ + "/repo/app";
  }

  /// A checkout whose index cannot be read: it counts as large.
  void Checkout() {
    tree_.File("repo/.git/HEAD", std::string(40, 'a'));
    tree_.File("repo/.git/config", "");
  }

  void NamedContext() {
    source_.named.directories["lib"] = root_ + "/lib";
    source_.named.attrs["context:lib"] = "local:lib";
    source_.named.attrs["context:far"] = "https://host/x.git";
  }

  std::vector<std::string> Dated() {
    Trees trees;
    for (const auto& [name, tree] : source_.trees)
      trees[name] = *files::OpenDirectoryTree(tree.directory);
    for (const auto& [name, directory] : source_.named.directories)
      trees[name] = *files::OpenDirectoryTree(directory);
    auto plan = PlanContextTimes(options_, environment_, source_, trees);
    EXPECT_TRUE(plan) << (plan ? "" : plan.error().message());
    plan_ = *std::move(plan);
    std::vector<std::string> names;
    for (const solve::DatedContext& context : plan_.dated)
      names.push_back(context.local);
    return names;
  }

  files::TemporaryTree tree_;
  std::string root_;
  options::BuildOptions options_;
  Environment environment_;
  Source source_;
  ContextPlan plan_;
};

using Names = std::vector<std::string>;

TEST_F(ContextTimesPlanTest, OfTheirOwnAccordInCiAndACheckoutOnly) {
  EXPECT_EQ(Dated(), Names());
  Checkout();
  EXPECT_EQ(Dated(), Names());
  environment_["CI"] = "true";
  EXPECT_EQ(Dated(), Names{"context"});
  EXPECT_NE(plan_.reasons.front().find("index"), std::string::npos);
  EXPECT_NE(plan_.reasons.back().find("the folder's name, \"app\""), std::string::npos);
  environment_["CI"] = "false";
  EXPECT_EQ(Dated(), Names());
}

TEST_F(ContextTimesPlanTest, OutsideOfACheckoutItIsSaid) {
  environment_["CI"] = "1";
  EXPECT_EQ(Dated(), Names());
  EXPECT_NE(plan_.reasons.at(0).find("not in a git checkout"), std::string::npos);
}

TEST_F(ContextTimesPlanTest, TheFlagBeforeTheVariable) {
  environment_["DEPOT_CONTEXT_TIMES"] = "content";
  EXPECT_EQ(Dated(), Names{"context"});
  options_.contexts.times = ContextTimes::kFile;
  EXPECT_EQ(Dated(), Names());
  environment_["DEPOT_CONTEXT_TIMES"] = "sometimes";
  options_.contexts.times.reset();
  Trees none;
  EXPECT_FALSE(PlanContextTimes(options_, environment_, source_, none));
}

TEST_F(ContextTimesPlanTest, NamedDirectoriesToo) {
  NamedContext();
  options_.contexts.times = ContextTimes::kContent;
  EXPECT_EQ(Dated(), (Names{"context", "lib"}));
  EXPECT_EQ(plan_.dated[1].attribute, "context:lib");
  EXPECT_EQ(plan_.dated[0].time_ns, plan_.dated[1].time_ns);
  EXPECT_EQ(plan_.dated[0].mark, files::kContentTimesMark);
}

TEST_F(ContextTimesPlanTest, ProtectedBranchesKeepTheirOwnCopy) {
  options_.contexts.times = ContextTimes::kContent;
  Dated();
  const std::string open = plan_.dated.at(0).key;
  environment_["CI_COMMIT_REF_PROTECTED"] = "true";
  Dated();
  EXPECT_NE(plan_.dated.at(0).key, open);
}

TEST_F(ContextTimesPlanTest, AQuestionToTheFrontendNeedsNone) {
  options_.contexts.times = ContextTimes::kContent;
  options_.call.method = "lint";
  EXPECT_EQ(Dated(), Names());
}

}  // namespace
}  // namespace depot::plan::context_times_test
