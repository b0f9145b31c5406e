#include "driver/builder/instances.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "tests/unit/http/certificates.h"

namespace depot::builder::instances_test {
namespace {

class InstancesTest : public ::testing::Test {
 protected:
  InstancesTest() {
    config_directory_ = dir_.path();
    engine_.host = "unix:///var/run/docker.sock";
    engine_.context_name = "default";
  }

  void Add(const std::string& name,
           const std::string& driver,
           const std::string& endpoint,
           const std::string& more = "") {
    dir_.Write(Cat("buildx/instances/", name),
               Cat(R"({"Name":")", name, R"(","Driver":")", driver, R"(","Nodes":[{"Name":")", name,
                   R"(0","Endpoint":")", endpoint, R"(","Platforms":null,"Flags":null)", more,
                   R"(,"Files":null}],"Dynamic":false})"));
  }

  void Use(const std::string& key, const std::string& name, bool global = false) {
    dir_.Write("buildx/current", Cat(R"({"Key":")", key, R"(","Name":")", name, R"(","Global":)",
                                     global ? "true}" : "false}"));
  }

  InstanceFacts Facts() { return {environment_, config_directory_, engine_}; }

  /// How its nodes are reached, "engine", or the error.
  std::string Found(const std::string& name) {
    auto instance = FindInstance(name, Facts(), Cancel::Never());
    return instance ? Shown(*instance) : instance.error().message();
  }

  std::string Current() {
    auto instance = CurrentInstance(Facts(), Cancel::Never());
    if (!instance) return instance.error().message();
    return *instance ? Shown(**instance) : "none";
  }

  static std::string Shown(const Instance& instance) {
    if (instance.engine) return "engine";
    std::vector<std::string> nodes;
    for (const InstanceNode& node : instance.nodes) {
      nodes.push_back(node.endpoint.program.empty() ? node.endpoint.url
                                                    : Join(node.endpoint.program, " "));
    }
    return Join(nodes, ", ");
  }

  test::TempDir dir_;
  Environment environment_;
  std::string config_directory_;
  docker::EngineEndpoint engine_;
};

TEST_F(InstancesTest, EveryDriverIsReachedAsBuildxReachesIt) {
  Add("far", "remote", "tcp://h:1");
  EXPECT_EQ(Found("far"), "tcp://h:1");
  EXPECT_EQ(Found("FAR"), "tcp://h:1") << "buildx keeps names in lower case";
  Add("box", "docker-container", "unix:///var/run/docker.sock");
  EXPECT_EQ(Found("box"),
            "docker --host=unix:///var/run/docker.sock exec -i buildx_buildkit_box0 buildctl "
            "dial-stdio");
  Add("ctx", "docker-container", "desktop-linux");
  EXPECT_EQ(Found("ctx"),
            "docker --context=desktop-linux exec -i buildx_buildkit_ctx0 buildctl dial-stdio");
  Add("kube", "kubernetes", "kubernetes:///kube?deployment=kube0&kubeconfig=%2Fk%2Fc",
      R"(,"DriverOpts":{"namespace":"ci"})");
  EXPECT_EQ(Found("kube"),
            "kubectl --kubeconfig=/k/c --namespace=ci exec --container=buildkitd -i "
            "deployment/kube0 -- buildctl dial-stdio");
  Add("kept", "kubernetes", "kubernetes:///kept",
      R"(,"DriverOpts":{"persistent-volume-claim.requests.storage":"1Gi"})");
  EXPECT_EQ(Found("kept"),
            "kubectl exec --container=buildkitd -i statefulset/kept0 -- buildctl dial-stdio");
  Add("own", "docker", "default");
  EXPECT_EQ(Found("own"), "engine");
}

TEST_F(InstancesTest, AnotherFolderIsTheVariables) {
  environment_["BUILDX_CONFIG"] = dir_.path("elsewhere");
  dir_.Write("elsewhere/instances/a",
             R"({"Name":"a","Driver":"remote","Nodes":[{"Name":"a0","Endpoint":"tcp://h:1"}]})");
  EXPECT_EQ(Found("a"), "tcp://h:1");
}

TEST_F(InstancesTest, PlatformsAndDefaultLoadAreRead) {
  dir_.Write("buildx/instances/two", R"({"Name":"two","Driver":"remote","Nodes":[
    {"Name":"a","Endpoint":"tcp://a:1","Platforms":[{"os":"linux","architecture":"amd64"},
      {"os":"linux","architecture":"amd64"}],"DriverOpts":{"default-load":"true"}},
    {"Name":"b","Endpoint":"tcp://b:1",
      "Platforms":[{"os":"linux","architecture":"arm","variant":"v7"}]}]})");
  auto instance = FindInstance("two", Facts(), Cancel::Never());
  ASSERT_TRUE(instance) << instance.error().message();
  EXPECT_TRUE(instance->default_load);
  ASSERT_EQ(instance->nodes.size(), 2U);
  ASSERT_EQ(instance->nodes[0].platforms.size(), 1U);
  EXPECT_EQ(FormatPlatform(instance->nodes[0].platforms[0]), "linux/amd64");
  EXPECT_EQ(FormatPlatform(instance->nodes[1].platforms[0]), "linux/arm/v7");
}

TEST_F(InstancesTest, TlsOfARemoteInstanceIsItsOwn) {
  environment_["DEPOT_BUILDER_CACERT"] = "/not/for/this";
  Add("plain", "remote", "tcp://h:1");
  EXPECT_EQ(Found("plain"), "tcp://h:1");
  Add("tls", "remote", "tcp://h:1", R"(,"DriverOpts":{"cacert":"/no/such/ca.pem"})");
  EXPECT_NE(Found("tls").find("/no/such/ca.pem"), std::string::npos);
  Add("relative", "remote", "tcp://h:1", R"(,"DriverOpts":{"cacert":"ca.pem"})");
  EXPECT_NE(Found("relative").find("not an absolute path"), std::string::npos);
  Add("half", "remote", "tcp://h:1", R"(,"DriverOpts":{"servername":"x"})");
  EXPECT_NE(Found("half").find("no cacert"), std::string::npos);
}

TEST_F(InstancesTest, TheCurrentOneIsThatOfTheEngineInUse) {
  EXPECT_EQ(Current(), "none");
  Add("far", "remote", "tcp://h:1");
  Use("unix:///var/run/docker.sock", "far");
  EXPECT_EQ(Current(), "tcp://h:1");
  Use("tcp://other:2375", "far");
  EXPECT_EQ(Current(), "none");
  Use("tcp://other:2375", "far", true);
  EXPECT_EQ(Current(), "tcp://h:1") << "create --use --global";
  engine_.context_name = "work";
  Use("work", "far");
  EXPECT_EQ(Current(), "tcp://h:1");
  Use("work", "gone");
  EXPECT_EQ(Current(), "none") << "as for buildx, when its file is gone";
  Use("", "");
  dir_.Write(Cat("buildx/defaults/", Sha256Hex("work").substr(0, 20)), "far");
  EXPECT_EQ(Current(), "tcp://h:1") << "use --default";
}

TEST_F(InstancesTest, TheVariablesComeBeforeTheCurrentOne) {
  auto named = [this]() -> std::string {
    auto found = BuilderOfEnvironment(Facts(), Cancel::Never());
    if (!found) return found.error().message();
    return *found ? Cat(Shown((*found)->instance), " by ", (*found)->said_by) : "none";
  };
  EXPECT_EQ(named(), "none");
  Add("far", "remote", "tcp://h:1");
  Use("unix:///var/run/docker.sock", "far");
  EXPECT_EQ(named(), "tcp://h:1 by docker buildx use far");
  environment_["BUILDKIT_HOST"] = "tcp://host:2";
  EXPECT_EQ(named(), "tcp://host:2 by BUILDKIT_HOST");
  environment_["BUILDX_BUILDER"] = "default";
  EXPECT_EQ(named(), "engine by BUILDX_BUILDER");
  environment_["BUILDX_BUILDER"] = "gone";
  EXPECT_NE(named().find("BUILDX_BUILDER: no builder \"gone\" found"), std::string::npos);
  environment_ = {{"BUILDKIT_HOST", "npipe:////./pipe/x"}};
  EXPECT_NE(named().find("BUILDKIT_HOST: builder: \"npipe"), std::string::npos) << named();
}

TEST_F(InstancesTest, ADockerContextIsItsEngine) {
  EXPECT_EQ(Found("default"), "engine");
  dir_.Write(Cat("contexts/meta/", Sha256Hex("work"), "/meta.json"),
             R"({"Name":"work","Endpoints":{"docker":{"Host":"tcp://w:1"}}})");
  EXPECT_NE(Found("work").find("another one is in use"), std::string::npos) << Found("work");
  engine_.context_name = "work";
  EXPECT_EQ(Found("work"), "engine");
}

TEST_F(InstancesTest, WhatIsNotThereIsSaidWithWhatIs) {
  EXPECT_NE(Found("nothing").find("no builder \"nothing\" found"), std::string::npos);
  Add("builder", "remote", "tcp://h:1");
  auto found = FindInstance("bulder", Facts(), Cancel::Never());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(found.error().hint(), "did you mean builder?");
  for (const char* name : {"../current", "a/b", "", "..", "-x", "a\nb"})
    EXPECT_FALSE(FindInstance(name, Facts(), Cancel::Never())) << name;
}

TEST_F(InstancesTest, WhatCannotBeUsedIsAnErrorAndNeverPassedOver) {
  Add("bad", "cloud", "cloud://org/name");
  EXPECT_NE(Found("bad").find("driver \"cloud\" is not known"), std::string::npos);
  Use("unix:///var/run/docker.sock", "bad");
  EXPECT_NE(Current().find("driver \"cloud\" is not known"), std::string::npos);
  for (const char* json :
       {"", "{", "[]", "null", "7", R"("x")", R"({"Driver":"remote"})",
        R"({"Driver":"remote","Nodes":{}})", R"({"Driver":"remote","Nodes":[]})",
        R"({"Driver":"remote","Nodes":[7]})", R"({"Driver":"remote","Nodes":[{"Name":"a"}]})",
        R"({"Driver":7,"Nodes":[{"Name":"a","Endpoint":"tcp://h:1"}]})",
        R"({"Driver":"remote","Nodes":[{"Name":"a","Endpoint":"ssh://-x"}]})",
        R"({"Driver":"docker-container","Nodes":[{"Name":"a b","Endpoint":""}]})",
        R"({"Driver":"docker-container","Nodes":[{"Name":"a","Endpoint":"-H x"}]})",
        R"({"Driver":"docker-container","Nodes":[{"Name":"a","Endpoint":"unix:///a\n"}]})",
        R"({"Driver":"kubernetes","Nodes":[{"Name":"-o","Endpoint":""}]})",
        R"({"Driver":"kubernetes","Nodes":[{"Name":"a","DriverOpts":{"namespace":"--x"}}]})",
        R"({"Driver":"remote","Nodes":[{"Name":"a","Endpoint":"tcp://h:1",
            "Platforms":[{"os":"linux"}]}]})"}) {
    dir_.Write("buildx/instances/bad", json);
    EXPECT_FALSE(FindInstance("bad", Facts(), Cancel::Never())) << json;
    EXPECT_FALSE(CurrentInstance(Facts(), Cancel::Never())) << json;
  }
  dir_.Write("buildx/current", "{");
  EXPECT_FALSE(CurrentInstance(Facts(), Cancel::Never()));
}

}  // namespace
}  // namespace depot::builder::instances_test
