#include "plugin/plan/caches.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "plugin/options/build_flags.h"

namespace depot::plan::caches_test {
namespace {

using Attributes = std::map<std::string, std::string>;

Caches Plan(std::vector<std::string> words, const Environment& environment = {}) {
  words.emplace_back(".");
  auto options = options::ParseBuildFlags(words, "docker depot");
  EXPECT_TRUE(options && *options);
  return PlanCaches(**options, environment);
}

TEST(PlanCaches, GithubsVariablesAreFilledInAsBuildxDoes) {
  const Environment first = {{"ACTIONS_RUNTIME_TOKEN", "t"}, {"ACTIONS_CACHE_URL", "https://c"}};
  EXPECT_EQ(Plan({"--cache-from", "type=gha,scope=s"}, first).sources[0].attrs,
            (Attributes{{"scope", "s"}, {"token", "t"}, {"url", "https://c"}}));
  const Environment second = {{"ACTIONS_RUNTIME_TOKEN", "t"},
                              {"ACTIONS_RESULTS_URL", "https://r"},
                              {"ACTIONS_CACHE_SERVICE_V2", "True"}};
  EXPECT_EQ(Plan({"--cache-to", "type=gha"}, second).targets[0].entry.attrs,
            (Attributes{{"token", "t"}, {"url", "https://r"}, {"url_v2", "https://r"}}));
  EXPECT_EQ(Plan({"--cache-to", "type=gha,token=own,url=u"}, second).targets[0].entry.attrs,
            (Attributes{{"token", "own"}, {"url", "u"}, {"url_v2", "https://r"}}));
}

TEST(PlanCaches, GithubsCacheElsewhereIsLeftOutWithALine) {
  Caches caches = Plan({"--cache-from", "type=gha", "--cache-to", "type=gha"},
                       {{"ACTIONS_RUNTIME_TOKEN", "hush"}});
  EXPECT_TRUE(caches.sources.empty());
  EXPECT_TRUE(caches.targets.empty());
  ASSERT_EQ(caches.notices.size(), 2U);
  EXPECT_EQ(caches.notices[0].find("hush"), std::string::npos);
}

TEST(PlanCaches, AwsKeysComeFromOnePlace) {
  const Environment environment = {{"AWS_ACCESS_KEY_ID", "id"},
                                   {"AWS_SECRET_ACCESS_KEY", "key"},
                                   {"AWS_SESSION_TOKEN", "session"}};
  EXPECT_EQ(Plan({"--cache-to", "type=s3,bucket=b"}, environment).targets[0].entry.attrs,
            (Attributes{{"bucket", "b"},
                        {"access_key_id", "id"},
                        {"secret_access_key", "key"},
                        {"session_token", "session"}}));
  EXPECT_EQ(
      Plan({"--cache-to", "type=s3,bucket=b,access_key_id=a,secret_access_key=s"}, environment)
          .targets[0]
          .entry.attrs,
      (Attributes{{"bucket", "b"}, {"access_key_id", "a"}, {"secret_access_key", "s"}}));
  EXPECT_EQ(Plan({"--cache-to", "type=s3,bucket=b"}).notices.size(), 1U);
}

TEST(PlanCaches, TheInlineCacheIsPartOfTheImage) {
  EXPECT_TRUE(Plan({"--cache-to", "type=inline", "--push", "-t", "a"}).in_image);
  EXPECT_TRUE(Plan({"--build-arg", "BUILDKIT_INLINE_CACHE=1"}).in_image);
  EXPECT_FALSE(Plan({"--build-arg", "BUILDKIT_INLINE_CACHE=0"}).in_image);
  EXPECT_TRUE(
      Plan({"--build-arg", "BUILDKIT_INLINE_CACHE"}, {{"BUILDKIT_INLINE_CACHE", "1"}}).in_image);
  EXPECT_FALSE(Plan({}).in_image);
  Caches files = Plan({"--cache-to", "type=inline", "-o", "out"});
  EXPECT_FALSE(files.in_image);
  ASSERT_EQ(files.notices.size(), 1U);
  EXPECT_NE(files.notices[0].find("has no effect"), std::string::npos);
}

TEST(PlanCaches, AnEngineWithTheClassicStoreIsRefused) {
  builder::Features classic;
  classic.all_exporters = false;
  EXPECT_TRUE(CheckCaches(Plan({"--cache-to", "type=inline"}), classic));
  EXPECT_TRUE(CheckCaches(Plan({"--cache-from", "a/b"}), classic));
  Result<> checked = CheckCaches(Plan({"--cache-to", "a/b"}), classic);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(CheckCaches(Plan({"--cache-to", "a/b"}), builder::Features()));
}

TEST(CacheOfPlatform, EachTypeHasANameOfItsOwn) {
  const Platform arm{"linux", "arm", "v7"};
  auto own = [&](const std::string& type, const Attributes& attrs) {
    return CacheOfPlatform({type, attrs}, arm).attrs;
  };
  EXPECT_EQ(own("registry", {{"ref", "h.x/a:c"}}).at("ref"), "h.x/a:c-linux-arm-v7");
  EXPECT_EQ(own("registry", {{"ref", "h.x/a"}}).at("ref"), "h.x/a:latest-linux-arm-v7");
  const std::string digest = "h.x/a@sha256:" + std::string(64, 'a');
  EXPECT_EQ(own("registry", {{"ref", digest}}).at("ref"), digest);
  EXPECT_EQ(own("local", {{"dest", "d"}}).at("tag"), "latest-linux-arm-v7");
  EXPECT_EQ(own("gha", {{"scope", "s"}}).at("scope"), "s-linux-arm-v7");
  EXPECT_EQ(own("s3", {}).at("name"), "buildkit-linux-arm-v7");
}

TEST(ShownCache, SaysThePlaceWithoutCredentials) {
  EXPECT_EQ(ShownCache({"registry", {{"ref", "h/a:b"}}}), "h/a:b");
  EXPECT_EQ(ShownCache({"local", {{"src", "c\n"}}}), "the folder c?");
  EXPECT_EQ(ShownCache({"local", {{"dest", "c"}, {"tag", "x"}}}), "the folder c (tag x)");
  EXPECT_EQ(ShownCache({"s3", {{"bucket", "b"}, {"secret_access_key", "hush"}}}), "the bucket b");
}

TEST(CacheRequest, AsksForTheSameStepsAndNothingElse) {
  solve::BuildRequest built;
  built.frontend = "dockerfile.v0";
  built.frontend_attrs = {{"filename", "Dockerfile"}, {"no-cache", ""}, {"attest:sbom", ""}};
  built.exporters = {{"image", {{"push", "true"}}}};
  built.cache_exports = {{"inline", {}}};
  built.cache_imports = {{"registry", {{"ref", "a"}}}};
  built.shared_key = "key";
  solve::BuildRequest request = CacheRequest(built, {"local", {{"dest", "c"}}});
  EXPECT_EQ(request.frontend_attrs, (Attributes{{"filename", "Dockerfile"}}));
  EXPECT_TRUE(request.exporters.empty());
  ASSERT_EQ(request.cache_exports.size(), 1U);
  EXPECT_EQ(request.cache_exports[0].type, "local");
  EXPECT_EQ(request.cache_imports.size(), 1U);
  EXPECT_EQ(request.shared_key, "key");
  EXPECT_TRUE(request.internal);
}

TEST(CacheTime, IsAPositiveNumberOfSeconds) {
  EXPECT_EQ(CacheTime({})->count(), 600);
  EXPECT_EQ(CacheTime({{"DEPOT_CACHE_TIMEOUT", "30"}})->count(), 30);
  for (const char* value : {"0", "-1", "10m", "999999999"})
    EXPECT_FALSE(CacheTime({{"DEPOT_CACHE_TIMEOUT", value}})) << value;
}

}  // namespace
}  // namespace depot::plan::caches_test
