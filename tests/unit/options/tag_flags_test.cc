#include "plugin/options/tag_flags.h"

#include <gtest/gtest.h>

#include "plugin/options/build_flags.h"

namespace depot::options::tag_flags_test {
namespace {

Result<BuildOptions> Parsed(std::vector<std::string> words) {
  words.insert(words.end(), {"-t", "host/x:1", "."});
  TRY_ASSIGN(auto options, ParseBuildFlags(words, "docker depot"));
  return *options;
}

Result<TagRules> Rules(std::vector<std::string> words, const Environment& environment = {}) {
  words.emplace_back("--push");
  TRY_ASSIGN(const BuildOptions options, Parsed(std::move(words)));
  return WantedTagRules(options.tagging, environment);
}

TEST(TagFlags, NoneIsNoRule) {
  const auto rules = Rules({}, {{"CI_PIPELINE_IID", "7"}});
  ASSERT_TRUE(rules);
  EXPECT_FALSE(rules->look());
}

TEST(TagFlags, CiGoesByThePipelineOfTheJob) {
  const auto rules = Rules({"--tag-guard=ci", "--merge-index"}, {{"CI_PIPELINE_IID", " 7 "},
                                                                 {"CI_SERVER_HOST", "git.example"},
                                                                 {"CI_PROJECT_ID", "42"},
                                                                 {"CI_COMMIT_SHA", "abc"}});
  ASSERT_TRUE(rules);
  EXPECT_TRUE(rules->merge);
  EXPECT_EQ(rules->pipeline->number, 7U);
  EXPECT_EQ(rules->pipeline->project, "git.example/42");
  EXPECT_EQ(rules->pipeline->revision, "abc");
}

TEST(TagFlags, ANumberOfOnesOwnIsOfNoProject) {
  const auto rules =
      Rules({"--tag-guard", "12"}, {{"CI_SERVER_HOST", "git.example"}, {"CI_PROJECT_ID", "42"}});
  ASSERT_TRUE(rules);
  EXPECT_FALSE(rules->merge);
  EXPECT_EQ(rules->pipeline->number, 12U);
  EXPECT_EQ(rules->pipeline->project, "");
}

TEST(TagFlags, NoNumberIsRefused) {
  for (const Environment& environment :
       {Environment{}, {{"CI_PIPELINE_IID", "0"}}, {{"CI_PIPELINE_IID", "seven"}}}) {
    const auto rules = Rules({"--tag-guard=ci"}, environment);
    ASSERT_FALSE(rules);
    EXPECT_EQ(rules.error().code(), ErrorCode::kUsage);
    EXPECT_NE(rules.error().message().find("CI_PIPELINE_IID is "), std::string::npos);
    EXPECT_NE(rules.error().hint().find("--tag-guard=N"), std::string::npos);
  }
  for (const char* bad : {"--tag-guard=", "--tag-guard=0", "--tag-guard=-1", "--tag-guard=CI"})
    EXPECT_FALSE(Rules({bad})) << bad;
}

TEST(TagFlags, WithoutATagThatIsPushedTheyAreRefused) {
  for (const char* flag : {"--tag-guard=3", "--merge-index"}) {
    EXPECT_EQ(Parsed({flag}).error().code(), ErrorCode::kUsage);
    EXPECT_EQ(Parsed({flag, "--load"}).error().code(), ErrorCode::kUsage);
    EXPECT_TRUE(Parsed({flag, "-o", "type=registry"}));
    EXPECT_TRUE(Parsed({flag, "-o", "type=image,push=true"}));
    EXPECT_TRUE(Parsed({flag, "--save"}));
  }
  const std::vector<std::string> by_digest = {
      "--merge-index", "-o", "type=image,name=host/x,push=true,push-by-digest=true", "."};
  const auto refused = ParseBuildFlags(by_digest, "docker depot");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("push-by-digest"), std::string::npos);
}

TEST(TagFlags, NothingIsTaggedByACall) {
  const auto options = Parsed({"--call=check", "--push", "--tag-guard=3", "--merge-index"});
  ASSERT_TRUE(options);
  EXPECT_FALSE(options->tagging.given());
  EXPECT_NE(options->notices.front().find("--tag-guard, --merge-index"), std::string::npos);
}

}  // namespace
}  // namespace depot::options::tag_flags_test
