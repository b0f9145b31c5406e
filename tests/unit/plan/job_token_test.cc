#include "plugin/plan/job_token.h"

#include <gtest/gtest.h>

namespace depot::plan::job_token_test {
namespace {

Environment Job() {
  return {{"GITLAB_CI", "true"},
          {"CI_JOB_TOKEN", "word"},
          {"CI_SERVER_HOST", "gitlab.example"},
          {"CI_SERVER_PORT", "443"},
          {"CI_SERVER_PROTOCOL", "https"}};
}

std::vector<std::string> Ids(const Environment& environment,
                             const options::BuildOptions& options = {}) {
  std::vector<std::string> ids;
  for (const session::SecretSpec& spec : JobTokenSecrets(options, environment))
    ids.push_back(spec.id);
  return ids;
}

using Strings = std::vector<std::string>;

TEST(JobToken, IsForTheJobsOwnServer) {
  const auto specs = JobTokenSecrets({}, Job());
  ASSERT_EQ(specs.size(), 2U);
  EXPECT_EQ(specs[0].id, "GIT_AUTH_HEADER.gitlab.example:443");
  EXPECT_EQ(specs[1].id, "GIT_AUTH_HEADER.gitlab.example");
  // gitlab-ci-token:word
  EXPECT_EQ(specs[1].value->Reveal(), "basic Z2l0bGFiLWNpLXRva2VuOndvcmQ=");
}

TEST(JobToken, KnowsOtherPorts) {
  Environment job = Job();
  job["CI_SERVER_PORT"] = "8443";
  EXPECT_EQ(Ids(job), (Strings{"GIT_AUTH_HEADER.gitlab.example:8443"}));
  job.erase("CI_SERVER_PORT");
  EXPECT_EQ(Ids(job), (Strings{"GIT_AUTH_HEADER.gitlab.example"}));
}

TEST(JobToken, NeedsAJob) {
  for (const char* name : {"GITLAB_CI", "CI_JOB_TOKEN", "CI_SERVER_HOST"}) {
    Environment job = Job();
    job.erase(name);
    EXPECT_TRUE(Ids(job).empty()) << name;
  }
}

TEST(JobToken, GivesWayToSecrets) {
  for (const char* id : {"GIT_AUTH_TOKEN", "GIT_AUTH_HEADER"}) {
    options::BuildOptions options;
    options.secrets = {{id, "", "X"}};
    EXPECT_TRUE(Ids(Job(), options).empty()) << id;
  }
  options::BuildOptions options;
  options.secrets = {{"GIT_AUTH_TOKEN.gitlab.example", "", "X"}};
  EXPECT_EQ(Ids(Job(), options), (Strings{"GIT_AUTH_HEADER.gitlab.example:443"}));
}

}  // namespace
}  // namespace depot::plan::job_token_test
