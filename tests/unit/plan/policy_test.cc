#include "plugin/plan/policy.h"

#include <gtest/gtest.h>

#include "tests/unit/files/temporary_tree.h"

namespace depot::plan::policy_test {
namespace {

class PolicyTest : public ::testing::Test {
 protected:
  bool Refused(const std::string& dockerfile) {
    SourceFacts facts;
    if (!dockerfile.empty()) facts.dockerfile_path = tree_.At(dockerfile);
    Result<> checked = CheckPolicyFile(options_, facts);
    if (checked) return false;
    EXPECT_EQ(checked.error().code(), ErrorCode::kUnsupported);
    EXPECT_NE(checked.error().message().find(".rego"), std::string::npos);
    EXPECT_NE(checked.error().hint().find("--policy disabled=true"), std::string::npos);
    return true;
  }

  files::TemporaryTree tree_;
  options::BuildOptions options_;
};

TEST_F(PolicyTest, OneBesideTheDockerfileEndsTheBuildUnlessItIsDisabled) {
  tree_.File("Dockerfile.rego");
  EXPECT_TRUE(Refused("Dockerfile"));
  EXPECT_TRUE(Refused("dockerfile"));
  EXPECT_FALSE(Refused("app.Dockerfile"));
  EXPECT_FALSE(Refused(""));
  options_.policy_disabled = true;
  EXPECT_FALSE(Refused("Dockerfile"));
}

TEST_F(PolicyTest, ItHasTheNameOfItsDockerfileAndMayBeALinkToNowhere) {
  tree_.Symlink("app.Dockerfile.rego", "nowhere");
  EXPECT_TRUE(Refused("app.Dockerfile"));
  EXPECT_FALSE(Refused("Dockerfile"));
}

TEST_F(PolicyTest, TheJsonPolicyIsReadOrTheBuildEnds) {
  const std::string name = "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY";
  EXPECT_EQ(*ReadSourcePolicy({}, Cancel::Never()), "");
  EXPECT_EQ(ReadSourcePolicy({{name, tree_.At("missing")}}, Cancel::Never()).error().code(),
            ErrorCode::kNotFound);
  tree_.File("bad", "{");
  const Error bad = ReadSourcePolicy({{name, tree_.At("bad")}}, Cancel::Never()).error();
  EXPECT_EQ(bad.code(), ErrorCode::kInvalid);
  EXPECT_TRUE(bad.message().starts_with(name)) << bad.message();
  tree_.File("good", R"({"rules":[{"action":"DENY","selector":{"identifier":"*"}}]})");
  EXPECT_FALSE(ReadSourcePolicy({{name, tree_.At("good")}}, Cancel::Never())->empty());
}

}  // namespace
}  // namespace depot::plan::policy_test
