#include "plugin/choice/choose.h"

#include <gtest/gtest.h>

#include "driver/base/system_roots.h"
#include "driver/base/text.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::choice::choose_test {
namespace {

const Platform kArm64{"linux", "arm64", ""};

class ChooseTest : public ::testing::Test {
 protected:
  ChooseTest() {
    options_.context = tree_.root();
    engine_->host = "unix:///run/docker.sock";
    engine_->context_name = "default";
  }

  Result<Choice> Choose() {
    return ChooseBuilder({options_, environment_, engine_, tree_.At("config"), log_in_}, *client_,
                         Cancel::Never());
  }

  Choice Good() {
    Result<Choice> choice = Choose();
    if (choice) return *std::move(choice);
    ADD_FAILURE() << choice.error().message();
    return {};
  }

  Error Bad() {
    Result<Choice> choice = Choose();
    if (!choice) return choice.error();
    ADD_FAILURE() << "chose: " << choice->line;
    return Error(ErrorCode::kInternal, "");
  }

  files::TemporaryTree tree_;
  options::BuildOptions options_;
  Environment environment_;
  Result<docker::EngineEndpoint> engine_ = docker::EngineEndpoint();
  std::function<Result<>()> log_in_;
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("test/1", std::chrono::seconds(5), SystemRoots());
};

TEST_F(ChooseTest, NothingSaidMeansTheEngine) {
  Choice choice = Good();
  EXPECT_TRUE(choice.engine);
  EXPECT_EQ(choice.line, "building on the Docker Engine at unix:///run/docker.sock");
  ASSERT_EQ(choice.sites.size(), 1u);
  engine_->context_name = "remote";
  EXPECT_EQ(Good().line,
            "building on the Docker Engine at unix:///run/docker.sock (context remote)");
}

TEST_F(ChooseTest, AnApiWithoutATokenIsNotPassedOverInSilence) {
  environment_["DEPOT_API_URL"] = "https://pool.example";
  environment_["DEPOT_TOKEN"] = "";
  Choice choice = Good();
  EXPECT_TRUE(choice.engine);
  ASSERT_EQ(choice.warnings.size(), 1u);
  EXPECT_TRUE(choice.warnings[0].starts_with("DEPOT_API_URL has no effect: there is no token."));
  environment_["DEPOT_BUILDER"] = "tcp://b:1";
  EXPECT_TRUE(Good().warnings.empty());
}

TEST_F(ChooseTest, AnEngineThatIsWronglyNamedMattersOnlyWhenItIsMeant) {
  engine_ = Fail(ErrorCode::kInvalid, "no such context");
  EXPECT_EQ(Bad().message(), "no such context");
  environment_["DEPOT_BUILDER"] = "tcp://b:1";
  EXPECT_FALSE(Good().engine);
}

TEST_F(ChooseTest, AnInstanceOfBuildxIsABuilderLikeAnother) {
  auto node = [](const std::string& name, const std::string& platforms) {
    return R"({"Name":")" + name + R"(","Endpoint":"tcp://)" + name + R"(:1","Platforms":)" +
           platforms + "}";
  };
  auto add = [this](const std::string& name, const std::string& nodes) {
    tree_.Directory("config/buildx/instances");
    tree_.File("config/buildx/instances/" + name,
               R"({"Name":")" + name + R"(","Driver":"remote","Nodes":[)" + nodes + "]}");
  };
  add("one", node("a", "null"));
  environment_["BUILDX_BUILDER"] = "one";
  EXPECT_EQ(Good().line, "building on tcp://a:1 (BUILDX_BUILDER)");
  EXPECT_FALSE(Good().engine);
  options_.builder = "one";
  EXPECT_EQ(Good().line, "building on tcp://a:1 (--builder one)");
  options_.builder = "gone";
  EXPECT_EQ(Bad().code(), ErrorCode::kNotFound);
  options_.builder = "";
  environment_["BUILDX_BUILDER"] = "gone";
  EXPECT_EQ(Bad().code(), ErrorCode::kNotFound) << "never a silent local build";
  environment_["BUILDX_BUILDER"] = "default";
  EXPECT_EQ(Good().line,
            "building on the Docker Engine at unix:///run/docker.sock (BUILDX_BUILDER)");
  environment_ = {{"BUILDKIT_HOST", "tcp://b:2"}};
  EXPECT_EQ(Good().line, "building on tcp://b:2 (BUILDKIT_HOST)");
  environment_ = {{"BUILDKIT_HOST", "tcp://b:2"}, {"DEPOT_TOKEN", "hush"}};
  EXPECT_TRUE(Good().hosted) << "a token comes before what buildx is told";
  environment_ = {{"DEPOT_BUILDER", "two"}};
  add("two", node("a", R"([{"os":"linux","architecture":"amd64"}])") + "," +
                 node("b", R"([{"os":"linux","architecture":"arm64"}])"));
  EXPECT_EQ(Good().sites.size(), 2u);
  add("two", node("a", "null") + "," + node("b", "null"));
  EXPECT_EQ(Good().sites.size(), 2u) << "they are asked what they run";
}

TEST_F(ChooseTest, ABuilderOfOnesOwnComesFirstAndTheFlagBeforeTheVariable) {
  environment_ = {{"DEPOT_BUILDER", "tcp://variable:1"}, {"DEPOT_TOKEN", "hush"}};
  options_.project = "p1";
  EXPECT_EQ(Good().line, "building on tcp://variable:1 (DEPOT_BUILDER)");
  options_.builder = "tcp://flag:1";
  Choice choice = Good();
  EXPECT_EQ(choice.line, "building on tcp://flag:1 (--builder)");
  EXPECT_FALSE(choice.hosted);
  EXPECT_FALSE(choice.engine);
}

TEST_F(ChooseTest, ATokenOrAProjectMeansTheApi) {
  environment_ = {{"DEPOT_TOKEN", "hush"}, {"DEPOT_API_URL", "https://u:pw@pool.example"}};
  options_.build_platform = kArm64;
  Choice choice = Good();
  ASSERT_TRUE(choice.hosted);
  EXPECT_EQ(choice.hosted->token.source, "DEPOT_TOKEN");
  EXPECT_EQ(choice.hosted->machine, kArm64);
  EXPECT_EQ(choice.line.find("pw"), std::string::npos) << choice.line;
  EXPECT_EQ(choice.line.find("hush"), std::string::npos) << choice.line;
  tree_.File("depot.json", R"({"id": "p2"})");
  EXPECT_EQ(Good().hosted->project.id, "p2");
  environment_["DEPOT_PROJECT_ID"] = "p3";
  EXPECT_EQ(Good().hosted->project.id, "p3");
  options_.project = "p4";
  EXPECT_EQ(Good().hosted->project.id, "p4");
}

/// An instance of docker buildx with one node, or a node more in `more`.
std::string InstanceFile(const std::string& driver,
                         const std::string& endpoint,
                         const std::string& more = "") {
  return Cat(R"({"Name":"far","Driver":")", driver, R"(","Nodes":[{"Name":"far0","Endpoint":")",
             endpoint, R"("})", more, "]}");
}

TEST_F(ChooseTest, TheEnvironmentsBuilderComesAfterEverythingThatIsSaidToUs) {
  tree_.File("config/buildx/instances/far", InstanceFile("remote", "tcp://far:1"));
  tree_.File("config/buildx/current",
             R"({"Key":"unix:///run/docker.sock","Name":"far","Global":false})");
  EXPECT_EQ(Good().line, "building on tcp://far:1 (docker buildx use far)");
  EXPECT_FALSE(Good().engine);
  environment_["BUILDKIT_HOST"] = "tcp://host:1";
  EXPECT_EQ(Good().line, "building on tcp://host:1 (BUILDKIT_HOST)");
  environment_["BUILDX_BUILDER"] = "far";
  EXPECT_EQ(Good().line, "building on tcp://far:1 (BUILDX_BUILDER)");
  environment_["DEPOT_TOKEN"] = "hush";
  EXPECT_TRUE(Good().hosted);
  environment_["DEPOT_BUILDER"] = "tcp://variable:1";
  EXPECT_EQ(Good().line, "building on tcp://variable:1 (DEPOT_BUILDER)");
  options_.builder = "far";
  EXPECT_EQ(Good().line, "building on tcp://far:1 (--builder far)");
}

TEST_F(ChooseTest, ABuilderThatIsNamedAndCannotBeUsedIsNeverReplaced) {
  environment_["BUILDX_BUILDER"] = "gone";
  EXPECT_EQ(Bad().code(), ErrorCode::kNotFound);
  EXPECT_NE(Bad().message().find("BUILDX_BUILDER"), std::string::npos) << Bad().message();
  environment_ = {{"BUILDKIT_HOST", "nonsense"}};
  EXPECT_NE(Bad().message().find("BUILDKIT_HOST"), std::string::npos) << Bad().message();
  environment_ = {{"DEPOT_BUILDER", "gone"}};
  EXPECT_NE(Bad().message().find("DEPOT_BUILDER"), std::string::npos) << Bad().message();
  EXPECT_FALSE(Bad().hint().empty());
  environment_.clear();
  tree_.File("config/buildx/instances/far", InstanceFile("cloud", "cloud://x"));
  tree_.File("config/buildx/current",
             R"({"Key":"unix:///run/docker.sock","Name":"far","Global":false})");
  EXPECT_EQ(Bad().code(), ErrorCode::kUnsupported);
}

TEST_F(ChooseTest, AnInstanceMayBeTheEngine) {
  environment_["BUILDX_BUILDER"] = "default";
  Choice choice = Good();
  EXPECT_TRUE(choice.engine);
  EXPECT_EQ(choice.line,
            "building on the Docker Engine at unix:///run/docker.sock (BUILDX_BUILDER)");
  engine_ = Fail(ErrorCode::kInvalid, "no such context");
  tree_.File("config/buildx/instances/far", InstanceFile("remote", "tcp://far:1"));
  environment_["BUILDX_BUILDER"] = "far";
  EXPECT_EQ(Good().line, "building on tcp://far:1 (BUILDX_BUILDER)");
}

TEST_F(ChooseTest, TheNodesOfAnInstanceAreItsMachines) {
  tree_.File("config/buildx/instances/far",
             InstanceFile("remote", "tcp://far:1",
                          R"(,{"Name":"far1","Endpoint":"tcp://arm:1",
                              "Platforms":[{"os":"linux","architecture":"arm64"}]})"));
  options_.builder = "far";
  Choice choice = Good();
  ASSERT_EQ(choice.sites.size(), 2u);
  EXPECT_TRUE(choice.sites[0].native.empty()) << "it is asked";
  EXPECT_EQ(choice.sites[1].native, NativeFamily(kArm64));
  options_.build_platform = Platform{"linux", "amd64", ""};
  ASSERT_EQ(Good().sites.size(), 1u);
  EXPECT_EQ(Good().sites[0].name, "tcp://far:1");
}

TEST_F(ChooseTest, WhatHasNoEffectIsSaid) {
  options_.token = Secret("hush");
  options_.project = "p1";
  options_.build_platform = kArm64;
  EXPECT_TRUE(Good().warnings.empty()) << "the Depot API heeds them all";
  options_.builder = "tcp://flag:1";
  std::vector<std::string> said = Good().warnings;
  ASSERT_EQ(said.size(), 3u);
  EXPECT_TRUE(said[0].starts_with("--token has no effect")) << said[0];
  EXPECT_TRUE(said[1].starts_with("--project has no effect")) << said[1];
  EXPECT_TRUE(said[2].starts_with("--build-platform chooses no machine")) << said[2];
  options_.builder = "arm64=tcp://flag:1";
  EXPECT_EQ(Good().warnings.size(), 2u);
}

TEST_F(ChooseTest, AnInstanceThatLoadsByDefaultDoesSoHere) {
  tree_.File("config/buildx/instances/far",
             R"({"Name":"far","Driver":"remote","Nodes":[{"Name":"far0","Endpoint":"tcp://far:1",
                 "DriverOpts":{"default-load":"true"}}]})");
  options_.builder = "far";
  EXPECT_TRUE(Good().default_load);
  EXPECT_TRUE(Good().warnings.empty());
  EXPECT_EQ(Good().sites[0].buildx.builder, "far");
  EXPECT_EQ(Good().sites[0].buildx.node, "far0");
  options_.builder = "tcp://far:1";
  EXPECT_FALSE(Good().default_load);
  EXPECT_EQ(Good().sites[0].buildx.builder, "") << "an address has no name";
}

TEST_F(ChooseTest, HowPodsWouldBeChosenIsSaid) {
  tree_.File("config/buildx/instances/pods",
             R"({"Name":"pods","Driver":"kubernetes","Nodes":[{"Name":"pods0",
                 "DriverOpts":{"loadbalance":"random"}}]})");
  options_.builder = "pods";
  ASSERT_EQ(Good().warnings.size(), 1u);
  EXPECT_EQ(Good().warnings[0],
            "the loadbalance=random of the node pods0 has no effect: kubectl chooses the pod");
}

TEST_F(ChooseTest, AProjectWithoutATokenIsNeverBuiltElsewhere) {
  tree_.File("depot.json", R"({"id": "p2"})");
  Error error = Bad();
  EXPECT_EQ(error.code(), ErrorCode::kDenied);
  EXPECT_FALSE(error.hint().empty());
  bool asked = false;
  log_in_ = [&]() -> Result<> {
    asked = true;
    environment_["DEPOT_TOKEN"] = "from-the-browser";
    return {};
  };
  EXPECT_TRUE(Good().hosted);
  EXPECT_TRUE(asked);
}

TEST_F(ChooseTest, TheTokenOfAJobOwnsNoContextButALastingOneDoes) {
  environment_ = {{"DEPOT_TOKEN", "lasting"}, {"CI_PROJECT_PATH", "g/a"}};
  std::string lasting = Good().node_id;
  EXPECT_EQ(Good().node_id, lasting);
  environment_["DEPOT_TOKEN"] = "head.body.signature";
  EXPECT_NE(Good().node_id, lasting);
  EXPECT_TRUE(tree_.Exists("config/buildx/.buildNodeID"));
}

TEST_F(ChooseTest, SavingNeedsTheApi) {
  options_.save = true;
  EXPECT_EQ(Bad().message(), "--save: only the Depot API keeps images");
}

TEST(EmulationOf, AFlagCountsBeforeTheVariableAndTheApiIsNative) {
  options::BuildOptions options;
  EXPECT_EQ(EmulationOf(options, {}, false), Emulation::kListed);
  EXPECT_EQ(EmulationOf(options, {}, true), Emulation::kNever);
  EXPECT_EQ(EmulationOf(options, {{"DEPOT_NATIVE_ONLY", "1"}}, false), Emulation::kNever);
  EXPECT_EQ(EmulationOf(options, {{"DEPOT_NATIVE_ONLY", "0"}}, true), Emulation::kListed);
  options.native_only = false;
  EXPECT_EQ(EmulationOf(options, {{"DEPOT_NATIVE_ONLY", "1"}}, true), Emulation::kListed);
  options.build_platform = kArm64;
  EXPECT_EQ(EmulationOf(options, {{"DEPOT_NATIVE_ONLY", "1"}}, true), Emulation::kAnywhere);
  options.native_only = true;
  EXPECT_EQ(EmulationOf(options, {}, false), Emulation::kNever);
}

TEST(HostedSites, OneMachineOfEachKindOrTheOneThatIsForced) {
  auto sites = HostedSites(nullptr, std::nullopt);
  ASSERT_EQ(sites.size(), 2u);
  EXPECT_EQ(sites[0].native.front().architecture,
            HostPlatform().architecture == "arm64" ? "arm64" : "amd64");
  auto forced = HostedSites(nullptr, kArm64);
  ASSERT_EQ(forced.size(), 1u);
  EXPECT_EQ(forced[0].native, NativeFamily(kArm64));
  EXPECT_EQ(forced[0].name, "the Depot API's arm64 machine");
}

}  // namespace
}  // namespace depot::choice::choose_test
