#include "plugin/deliver/provenance.h"

#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "driver/base/json.h"

namespace depot::deliver::provenance_test {
namespace {

constexpr std::string_view kVersion02 = "https://slsa.dev/provenance/v0.2";
constexpr std::string_view kVersion1 = "https://slsa.dev/provenance/v1";

Json Decoded(std::string_view predicate, std::string_view type, ProvenanceMode mode) {
  auto value = ProvenanceValue(predicate, type, mode);
  EXPECT_TRUE(value) << value.error().message();
  return *Json::Parse(FromBase64(value.value_or("")).value_or(""));
}

TEST(Provenance, TheVariableChoosesTheMode) {
  for (const char* off : {"disabled", "false", "0", "F"})
    EXPECT_EQ(ParseProvenanceMode(off), ProvenanceMode::kDisabled) << off;
  EXPECT_EQ(ParseProvenanceMode("max"), ProvenanceMode::kMax);
  for (const char* small : {"", "min", "true", "1", "anything"})
    EXPECT_EQ(ParseProvenanceMode(small), ProvenanceMode::kMin) << small;
}

TEST(Provenance, TheSmallFormHasNeitherSourcesNorTimes) {
  std::string_view predicate =
      R"({"buildType":"t","buildConfig":{"a":1},"metadata":{"b":2},"invocation":{"c":3}})";
  Json small = Decoded(predicate, kVersion02, ProvenanceMode::kMin);
  EXPECT_EQ(small.Keys(), (std::vector<std::string>{"buildType", "invocation"}));
  Json whole = Decoded(predicate, kVersion02, ProvenanceMode::kMax);
  EXPECT_EQ(whole.Dump(), Json::Parse(predicate)->Dump());
}

TEST(Provenance, Version1IsToldInTheWordsOf02) {
  std::string_view predicate = R"({
    "buildDefinition": {
      "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
      "externalParameters": {
        "configSource": {"uri": "https://g/r", "digest": {"sha1": "d"}, "path": "Dockerfile"},
        "request": {"frontend": "dockerfile.v0"}
      },
      "internalParameters": {
        "builderPlatform": "linux/amd64", "custom": "x", "buildConfig": {"llbDefinition": []}
      },
      "resolvedDependencies": [{"uri": "pkg:docker/busybox", "digest": {"sha256": "e"}, "name": "n"}]
    },
    "runDetails": {
      "builder": {"id": "me", "version": {"v": "1"}},
      "metadata": {
        "invocationId": "i", "startedOn": "2020-01-01T00:00:00Z", "finishedOn": "2020-01-01T00:00:01Z",
        "buildkit_metadata": {"vcs": {}}, "buildkit_hermetic": true, "buildkit_reproducible": false,
        "buildkit_completeness": {"request": true, "resolvedDependencies": false}
      }
    }
  })";
  std::string_view expected = R"({
    "builder": {"id": "me"},
    "buildType": "https://mobyproject.org/buildkit@v1",
    "materials": [{"uri": "pkg:docker/busybox", "digest": {"sha256": "e"}}],
    "invocation": {
      "configSource": {"uri": "https://g/r", "digest": {"sha1": "d"}, "entryPoint": "Dockerfile"},
      "parameters": {"frontend": "dockerfile.v0"},
      "environment": {"platform": "linux/amd64", "custom": "x"}
    },
    "buildConfig": {"llbDefinition": []},
    "metadata": {
      "buildInvocationID": "i",
      "buildStartedOn": "2020-01-01T00:00:00Z", "buildFinishedOn": "2020-01-01T00:00:01Z",
      "completeness": {"parameters": true, "environment": true, "materials": false},
      "reproducible": false,
      "https://mobyproject.org/buildkit@v1#metadata": {"vcs": {}},
      "https://mobyproject.org/buildkit@v1#hermetic": true
    }
  })";
  Json old = Decoded(predicate, kVersion1, ProvenanceMode::kMax);
  EXPECT_EQ(old.Dump(2), Json::Parse(expected)->Dump(2));
}

TEST(Provenance, WhatIsNoObjectIsRefused) {
  for (const char* wrong : {"", "[1]", "{", "7"})
    EXPECT_FALSE(ProvenanceValue(wrong, kVersion02, ProvenanceMode::kMin)) << wrong;
}

}  // namespace
}  // namespace depot::deliver::provenance_test
