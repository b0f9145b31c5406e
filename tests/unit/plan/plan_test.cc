#include "plugin/plan/plan.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "plugin/options/build_flags.h"

namespace depot::plan::plan_test {
namespace {

using Words = std::vector<std::string>;
using Attributes = std::map<std::string, std::string>;

SourceFacts Directory() {
  SourceFacts facts;
  facts.working_directory = "/home/u/app";
  facts.context = PathKind::kDirectory;
  facts.dockerfile_path = "/home/u/app/Dockerfile";
  facts.dockerfile = PathKind::kFile;
  return facts;
}

builder::Features Remote() {
  builder::Features features;
  return features;
}

builder::Features Engine(bool all_exporters) {
  builder::Features features = Remote();
  features.engine_store = true;
  features.all_exporters = all_exporters;
  features.host_gateway_ip = "172.17.0.1";
  return features;
}

/// A command line on its whole way, with what is looked up on the way.
struct CommandLine {
  Words words;
  builder::Features features = Remote();
  SourceFacts source = Directory();
  PlanFacts facts = {};

  Result<BuildPlan> Plan() const {
    auto options = options::ParseBuildFlags(words, "docker depot");
    if (!options) return Fail(std::move(options).error());
    if (!*options) return Fail(ErrorCode::kInternal, "help");
    TRY_ASSIGN(Source decided, DecideSource(**options, source));
    PlanFacts known = facts;
    // Unless the test says what this builder's share is, it builds everything.
    if (known.frontend.platforms.empty()) {
      TRY_ASSIGN(known.frontend.platforms, WantedPlatforms(**options, known.frontend.environment));
    }
    return MakePlan(**options, features, decided, known);
  }

  BuildPlan Good() const {
    auto plan = Plan();
    if (plan) return *plan;
    ADD_FAILURE() << plan.error().message();
    return {};
  }

  Error Bad() const {
    auto plan = Plan();
    if (!plan) return plan.error();
    ADD_FAILURE() << "accepted";
    return Error(ErrorCode::kInternal, "accepted");
  }
};

Attributes AttrsOf(CommandLine run) {
  return run.Good().request.frontend_attrs;
}

TEST(Plan, AttestationsAreNoArtifactsWhereTheEnvironmentSaysSo) {
  CommandLine run{{"-t", "r.example/a", "--push", "-o", "type=oci,dest=a,oci-artifact=true", "."}};
  EXPECT_FALSE(run.Good().request.exporters.at(1).attrs.contains("oci-artifact"));
  run.facts.frontend.environment["BUILDX_NO_DEFAULT_OCI_ARTIFACT"] = "true";
  const auto exporters = run.Good().request.exporters;
  EXPECT_EQ(exporters.at(0).attrs.at("oci-artifact"), "true") << "the flag comes first";
  EXPECT_EQ(exporters.at(1).attrs.at("oci-artifact"), "false");
}

TEST(Plan, TheWarningAboutAResultThatStaysThereMayBeSwitchedOff) {
  CommandLine run{{"."}};
  EXPECT_FALSE(run.Good().warnings.empty());
  for (const char* name : {"BUILDX_NO_DEFAULT_LOAD", "DEPOT_SUPPRESS_NO_OUTPUT_WARNING"}) {
    run.facts.frontend.environment = {{name, "1"}};
    EXPECT_TRUE(run.Good().warnings.empty()) << name;
  }
}

TEST(Plan, BuildsTheDirectoryWithTheEngine) {
  CommandLine run{{"."}, Engine(true)};
  run.facts.frontend.node_id = "node";
  BuildPlan plan = run.Good();
  EXPECT_EQ(plan.request.frontend, "dockerfile.v0");
  EXPECT_EQ(plan.request.frontend_attrs,
            (Attributes{{"filename", "Dockerfile"}, {"image-resolve-mode", "local"}}));
  EXPECT_EQ(plan.request.exporters.size(), 1u);
  EXPECT_EQ(plan.request.shared_key, "app:node");
  EXPECT_TRUE(plan.request.entitlements.empty());
}

TEST(Plan, TagsAndPushesFromARemoteBuilder) {
  BuildPlan plan = CommandLine{{"--push", "-t", "registry.example/app:1", "."}}.Good();
  EXPECT_EQ(plan.request.frontend_attrs, (Attributes{{"filename", "Dockerfile"}}));
  EXPECT_EQ(plan.request.exporters.at(0).attrs.at("name"), "registry.example/app:1");
  EXPECT_EQ(plan.request.shared_key, "");
}

TEST(Plan, PushesByTheClassicEngine) {
  BuildPlan plan = CommandLine{{"-t", "r.example/app", "--push", "."}, Engine(false)}.Good();
  EXPECT_EQ(plan.engine_pushes, (Words{"r.example/app:latest"}));
}

TEST(Plan, LoadsQuietlyWithADockerfileElsewhere) {
  CommandLine run{{"-qt", "app", "--load", "-f", "docker/Dockerfile", "."}};
  run.source.dockerfile_path = "/home/u/app/docker/Dockerfile";
  BuildPlan plan = run.Good();
  EXPECT_EQ(plan.destinations.at(0).kind, DestinationKind::kEngineLoad);
}

TEST(Plan, PassesArgumentsLabelsAndTarget) {
  CommandLine run{{"--build-arg", "A=1", "--build-arg=B", "--build-arg", "C", "--label", "l=v",
                   "--label", "m", "--target=prod", "."}};
  run.facts.frontend.environment = {{"B", "from env"}};
  EXPECT_EQ(AttrsOf(run), (Attributes{{"build-arg:A", "1"},
                                      {"build-arg:B", "from env"},
                                      {"filename", "Dockerfile"},
                                      {"label:l", "v"},
                                      {"label:m", ""},
                                      {"target", "prod"}}));
}

TEST(Plan, RebuildsWithoutCacheForAPlatform) {
  Attributes attrs = AttrsOf({{"--no-cache", "--pull", "--platform", "linux/arm64/v8", "."}});
  EXPECT_EQ(attrs.at("no-cache"), "");
  EXPECT_EQ(attrs.at("image-resolve-mode"), "pull");
  EXPECT_EQ(attrs.at("platform"), "linux/arm64");
}

TEST(Plan, WritesFilesToADirectory) {
  BuildPlan plan = CommandLine{{"-o", "out", "--target", "bin", "."}}.Good();
  EXPECT_EQ(plan.destinations.at(0).path, "out");
  EXPECT_TRUE(plan.warnings.empty());
}

TEST(Plan, BuildsADockerfileFromStandardInput) {
  CommandLine run{{"-t", "x", "-"}, Engine(true), {}, {}};
  run.source.standard_input = "FROM scratch";
  run.facts.frontend.node_id = "node";
  BuildPlan plan = run.Good();
  EXPECT_EQ(plan.request.frontend_attrs.at("filename"), "Dockerfile");
  EXPECT_EQ(plan.request.frontend_attrs.count("context"), 0u);
  EXPECT_EQ(plan.request.shared_key, "");
}

TEST(Plan, BuildsARepositoryWithADockerfileFromHere) {
  CommandLine run{{"-f", "-", "https://h/r.git#main"}, Remote(), {}, {}};
  run.source.standard_input = "FROM scratch";
  Attributes attrs = AttrsOf(run);
  EXPECT_EQ(attrs.at("context"), "https://h/r.git#main");
  EXPECT_EQ(attrs.at("dockerfilekey"), "dockerfile");
}

TEST(Plan, NetworksAndHosts) {
  CommandLine run{
      {"--network=host", "--allow", "network.host", "--allow=security.insecure", "--add-host",
       "a:1.2.3.4", "--add-host=b=[::1]", "--add-host", "gw:host-gateway", "."},
      Engine(true)};
  BuildPlan plan = run.Good();
  EXPECT_EQ(plan.request.entitlements, (Words{"network.host", "security.insecure"}));
  EXPECT_EQ(plan.request.frontend_attrs.at("force-network-mode"), "host");
  EXPECT_EQ(plan.request.frontend_attrs.at("add-hosts"), "a=1.2.3.4,b=::1,gw=172.17.0.1");
  EXPECT_EQ(AttrsOf({{"--network=none", "."}}).at("force-network-mode"), "none");
  EXPECT_EQ(AttrsOf({{"--network=default", "."}}).count("force-network-mode"), 0u);
}

TEST(Plan, HostGatewayMustBeKnown) {
  Error error = CommandLine{{"--add-host", "gw:host-gateway", "."}}.Bad();
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_EQ(error.message(),
            "--add-host gw: host-gateway is not supported by this builder, which knows no address "
            "for it");
}

TEST(Plan, WhatStepsMayUse) {
  BuildPlan plan = CommandLine{
      {"--ulimit=nofile=1:2", "--ulimit=core=0", "--shm-size=1k", "--cgroup-parent=/p",
       "--no-cache-filter=a", "--no-cache-filter=b", "--memory=1k", "--memory-swap=2k",
       "--cpu-shares=3", "--cpu-period=1000", "--cpu-quota=2000", "--cpuset-cpus=0-1",
       "--cpuset-mems=0",
       "."}}.Good();
  const Attributes& attrs = plan.request.frontend_attrs;
  EXPECT_EQ(attrs.at("ulimit"), "core=0:0,nofile=1:2");
  EXPECT_EQ(attrs.at("shm-size"), "1024");
  EXPECT_EQ(attrs.at("cgroup-parent"), "/p");
  EXPECT_EQ(attrs.at("no-cache"), "a,b");
  const Attributes limits = {{"memory", "1024"},    {"memswap", "2048"},  {"cpushares", "3"},
                             {"cpuperiod", "1000"}, {"cpuquota", "2000"}, {"cpusetcpus", "0-1"},
                             {"cpusetmems", "0"}};
  for (const auto& [name, value] : limits)
    EXPECT_EQ(attrs.at(name), value);
  ASSERT_EQ(plan.request.capabilities.size(), 4u);
  for (const solve::Capability& one : plan.request.capabilities)
    EXPECT_FALSE(one.required);
}

TEST(Plan, WhatAnOldBuilderDoesNotLookAtIsSaid) {
  CommandLine run{{"--build-arg", "SOURCE_DATE_EPOCH=-5", "--code-quality-file", "f", "."}};
  const std::vector<std::string> warnings = run.Good().warnings;
  auto said = [&](std::string_view text) {
    return std::count_if(warnings.begin(), warnings.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  };
  EXPECT_EQ(said("SOURCE_DATE_EPOCH has no effect"), 1);
  EXPECT_EQ(said("--code-quality-file stays empty"), 1);
}

TEST(Plan, ACallMakesNothing) {
  BuildPlan plan = CommandLine{{"--call=outline", "--push", "-t", "x", "."}, Engine(true)}.Good();
  EXPECT_EQ(plan.request.call, "outline");
  EXPECT_TRUE(plan.request.exporters.empty());
  EXPECT_TRUE(plan.warnings.empty());
  EXPECT_EQ(plan.request.frontend_attrs.count("attest:provenance"), 0u);
}

TEST(Plan, ASourcePolicyGoesToNoBuilderThatWouldNotObey) {
  CommandLine run{{"."}};
  run.facts.source_policy = "policy";
  BuildPlan plan = run.Good();
  EXPECT_EQ(plan.request.source_policy, "policy");
  ASSERT_EQ(plan.request.capabilities.size(), 1u);
  EXPECT_TRUE(plan.request.capabilities[0].required);
}

TEST(Plan, AnEmptyFrontendIsRefusedInTheWordsOfBuildx) {
  const Error error = CommandLine{{"--build-arg=BUILDKIT_SYNTAX=", "."}}.Bad();
  EXPECT_TRUE(error.message().starts_with("empty BUILDKIT_SYNTAX build-arg is invalid"));
}

TEST(Plan, DefaultPlatformOfTheEnvironment) {
  CommandLine run{{"."}};
  run.facts.frontend.environment = {{"DOCKER_DEFAULT_PLATFORM", "arm64"}};
  EXPECT_EQ(AttrsOf(run).at("platform"), "linux/arm64");
  CommandLine flag{{"--platform=amd64", "."}, Remote(), Directory(), run.facts};
  EXPECT_EQ(AttrsOf(flag).at("platform"), "linux/amd64");
  run.facts.frontend.environment = {{"DOCKER_DEFAULT_PLATFORM", "linux/"}};
  EXPECT_TRUE(run.Bad().message().starts_with("DOCKER_DEFAULT_PLATFORM: "));
  run.facts.frontend.environment = {{"DOCKER_DEFAULT_PLATFORM", "amd64,arm64"}};
  EXPECT_EQ(AttrsOf(run).at("platform"), "linux/amd64,linux/arm64");
}

TEST(Plan, APlatformThatNobodyKnowsIsSaidAndPassedOn) {
  options::BuildOptions options;
  const Environment variable = {{"DOCKER_DEFAULT_PLATFORM", "linux/amd46"}};
  auto wanted = WantedPlatforms(options, variable);
  ASSERT_TRUE(wanted);
  EXPECT_EQ(UnknownPlatforms(options, *wanted),
            std::vector<std::string>{
                "WARNING: DOCKER_DEFAULT_PLATFORM linux/amd46: unknown architecture \"amd46\", did "
                "you mean linux/amd64?"});
  const Platform foo{"linux", "foo", ""};
  options.platforms = {{"linux", "amd64", ""}, foo};
  options.annotations = {{"manifest", foo, "a", "1"}, {"manifest", foo, "b", "2"}};
  const std::string why = " linux/foo: unknown architecture \"foo\"";
  EXPECT_EQ(UnknownPlatforms(options, options.platforms),
            (std::vector<std::string>{"WARNING: --platform" + why, "WARNING: --annotation" + why}));
  CommandLine run{{"--platform=linux/amd64,linux/foo", "."}};
  EXPECT_EQ(AttrsOf(run).at("platform"), "linux/amd64,linux/foo");
}

TEST(Plan, SourceDateEpochUnlessGiven) {
  CommandLine run{{"."}};
  run.facts.frontend.environment = {{"SOURCE_DATE_EPOCH", "7"}};
  EXPECT_EQ(AttrsOf(run).at("build-arg:SOURCE_DATE_EPOCH"), "7");
  run.words = {"--build-arg", "SOURCE_DATE_EPOCH=9", "."};
  EXPECT_EQ(AttrsOf(run).at("build-arg:SOURCE_DATE_EPOCH"), "9");
}

TEST(Plan, ProxiesOfTheEngineBeatTheDefaultAndYieldToTheUser) {
  CommandLine run{{"--build-arg", "https_proxy=mine", "."}};
  run.facts.frontend.engine_host = "unix:///s";
  run.facts.frontend.proxies = {
      {"default", {{"httpProxy", "default"}}},
      {"unix:///s",
       {{"httpProxy", "p"}, {"httpsProxy", "q"}, {"noProxy", "n"}, {"allProxy", "a"}}}};
  EXPECT_EQ(AttrsOf(run), (Attributes{{"build-arg:HTTP_PROXY", "p"},
                                      {"build-arg:NO_PROXY", "n"},
                                      {"build-arg:https_proxy", "mine"},
                                      {"filename", "Dockerfile"}}));
  run.facts.frontend.engine_host = "tcp://other";
  EXPECT_EQ(AttrsOf(run).at("build-arg:HTTP_PROXY"), "default");
}

TEST(Plan, SyntaxArgumentChoosesTheFrontend) {
  BuildPlan plan =
      CommandLine{{"--build-arg", "BUILDKIT_SYNTAX=docker/dockerfile:1 x", "."}}.Good();
  EXPECT_EQ(plan.request.frontend, "gateway.v0");
  EXPECT_EQ(plan.request.frontend_attrs.at("source"), "docker/dockerfile:1");
  EXPECT_EQ(plan.request.frontend_attrs.at("cmdline"), "docker/dockerfile:1 x");
  EXPECT_EQ(CommandLine({{"--build-arg", "BUILDKIT_SYNTAX=", "."}}).Bad().code(),
            ErrorCode::kUsage);
}

TEST(Plan, NoDefaultLoadOfTheEnvironment) {
  CommandLine run{{"."}, Engine(true)};
  run.facts.frontend.environment = {{"BUILDX_NO_DEFAULT_LOAD", "1"}};
  EXPECT_TRUE(run.Good().request.exporters.empty());
}

Result<std::vector<session::SecretSpec>> Secrets(const Words& values,
                                                 const Environment& environment) {
  Words words;
  for (const std::string& value : values)
    words.insert(words.end(), {"--secret", value});
  words.push_back(".");
  auto options = options::ParseBuildFlags(words, "docker depot");
  if (!options) return Fail(std::move(options).error());
  return PlanSecrets(**options, environment);
}

TEST(PlanSecrets, TakesVariablesNowAndFilesLater) {
  auto specs = Secrets({"id=a,env=V", "id=b,src=f", "id=c", "id=d", "id=e,env=EMPTY"},
                       {{"V", "hush"}, {"c", "by id"}, {"EMPTY", ""}});
  ASSERT_TRUE(specs) << specs.error().message();
  ASSERT_EQ(specs->size(), 5u);
  EXPECT_EQ((*specs)[0].value->Reveal(), "hush");
  EXPECT_EQ((*specs)[1].file, "f");
  EXPECT_FALSE((*specs)[1].value);
  EXPECT_EQ((*specs)[2].value->Reveal(), "by id");
  EXPECT_EQ((*specs)[3].file, "d");
  EXPECT_EQ((*specs)[4].value->Reveal(), "");
}

TEST(PlanSecrets, UnsetVariableIsAnError) {
  auto specs = Secrets({"id=s,env=UNSET"}, {{"s", "no"}});
  ASSERT_FALSE(specs);
  EXPECT_EQ(specs.error().code(), ErrorCode::kInvalid);
  EXPECT_EQ(specs.error().message(), "--secret id=s: the variable UNSET is not set");
}

TEST(Plan, TheSmallestProvenanceIsInImagesOnly) {
  CommandLine run{{"-o", "type=oci,dest=f", "."}};
  run.features.attestations = true;
  EXPECT_EQ(AttrsOf(run).at("attest:provenance"), "mode=min,inline-only=true");
  // The archive of several platforms has it whoever builds them.
  run.facts.several_builders = true;
  run.facts.frontend.platforms = {{"linux", "amd64", ""}};
  EXPECT_EQ(AttrsOf(run).at("attest:provenance"), "mode=min");
  run.words = {"-o", "out", "."};
  EXPECT_EQ(AttrsOf(run).at("attest:provenance"), "mode=min,inline-only=true");
  run.facts.frontend.environment["BUILDX_NO_DEFAULT_ATTESTATIONS"] = "1";
  EXPECT_EQ(AttrsOf(run).count("attest:provenance"), 0u);
}

TEST(Plan, OneOfSeveralBuildersIsAskedForItsOwnPlatforms) {
  CommandLine run{{"--platform", "linux/amd64,linux/arm64", "--push", "-t", "r.example/x:1", "."}};
  run.facts.several_builders = true;
  run.facts.frontend.platforms = {{"linux", "arm64", ""}};
  BuildPlan plan = run.Good();
  EXPECT_EQ(plan.request.frontend_attrs.at("platform"), "linux/arm64");
  ASSERT_EQ(plan.destinations.size(), 1u);
  ASSERT_EQ(plan.destinations[0].index_names.size(), 1u);
  EXPECT_EQ(FormatReference(plan.destinations[0].index_names[0]), "r.example/x:1");
}

TEST(Plan, SbomsBesideAnImageAreNoFilesOfAResult) {
  CommandLine run{{"--sbom-dir=d", "-o", "type=oci,dest=x", "."}};
  run.features.attestations = true;
  run.facts.several_builders = true;
  EXPECT_EQ(AttrsOf(run).at("attest:provenance"), "mode=min");
}

TEST(Plan, TheDockerfileIsInTheCallUnlessAProvenanceTellsWhereItIsFrom) {
  const auto in_call = [](const Words& words, bool attestations) {
    CommandLine run{words};
    run.facts.dockerfile = solve::DockerfileText{"Dockerfile", "FROM scratch", ""};
    run.features.attestations = run.features.history = attestations;
    return !run.Good().request.dockerfile.empty();
  };
  const Words push{"--push", "-t", "r.example/x:1", "."};
  const Words push_bare{"--provenance=false", "--push", "-t", "r.example/x:1", "."};
  EXPECT_TRUE(in_call({"."}, true));
  EXPECT_TRUE(in_call({"-o", "out", "."}, true));
  EXPECT_FALSE(in_call({"--provenance=mode=max", "."}, true));
  EXPECT_FALSE(in_call({"--metadata-file", "m", "."}, true));
  EXPECT_FALSE(in_call({"--metadata-file", "m", "."}, false));
  EXPECT_FALSE(in_call(push, true));
  EXPECT_TRUE(in_call(push, false));
  EXPECT_TRUE(in_call(push_bare, true));
  EXPECT_FALSE(in_call({"--build-arg", "BUILDKIT_SYNTAX=docker/dockerfile:1", "."}, true));
}

TEST(Plan, AnUploadedContextIsAtTheAddressThatTheSessionGave) {
  CommandLine run{{"-"}};
  run.source.standard_input = std::string("\x1f\x8b\x08", 3);
  run.facts.frontend.upload_url = "http://buildkit-session/x";
  EXPECT_EQ(AttrsOf(run).at("context"), "http://buildkit-session/x");
}

}  // namespace
}  // namespace depot::plan::plan_test
