#include "driver/solve/source_policy.h"

#include <gtest/gtest.h>

#include "proto/control.pb.h"

namespace depot::solve::source_policy_test {
namespace {

TEST(SourcePolicy, IsTheSameOnTheWire) {
  auto bytes = ParseSourcePolicy(R"({"version": 1, "rules": [
      {"action": "DENY", "selector": {"identifier": "docker-image://*"}},
      {"action": 2,
       "selector": {"identifier": "https://a", "match_type": "EXACT",
                    "constraints": [{"key": "k", "value": "v", "condition": "MATCHES"}]},
       "updates": {"identifier": "https://b", "attrs": {"http.checksum": "sha256:1"}}}]})");
  ASSERT_TRUE(bytes) << bytes.error().message();
  moby::buildkit::v1::SourcePolicy policy;
  ASSERT_TRUE(policy.ParseFromString(*bytes));
  EXPECT_EQ(policy.version(), 1);
  ASSERT_EQ(policy.rules_size(), 2);
  EXPECT_EQ(policy.rules(0).action(), 1);
  EXPECT_EQ(policy.rules(0).selector().match_type(), 0);
  EXPECT_FALSE(policy.rules(0).has_updates());
  EXPECT_EQ(policy.rules(1).action(), 2);
  EXPECT_EQ(policy.rules(1).selector().match_type(), 1);
  EXPECT_EQ(policy.rules(1).selector().constraints(0).condition(), 2);
  EXPECT_EQ(policy.rules(1).updates().attrs().at("http.checksum"), "sha256:1");
}

TEST(SourcePolicy, WhatIsNotUnderstoodIsNoPolicy) {
  for (const char* text :
       {"", "{", "[]", "{}", R"({"rules": []})", R"({"rules": {}})", R"({"rules": ["x"]})",
        R"({"version": 2, "rules": [{"selector": {"identifier": "a"}}]})",
        R"({"version": "1", "rules": [{"selector": {"identifier": "a"}}]})",
        R"({"rules": [{"action": "DENY"}]})", R"({"rules": [{"action": "DENY", "selector": {}}]})",
        R"({"rules": [{"action": "deny", "selector": {"identifier": "a"}}]})",
        R"({"rules": [{"action": 3, "selector": {"identifier": "a"}}]})",
        R"({"rules": [{"acton": "DENY", "selector": {"identifier": "a"}}]})",
        R"({"rules": [{"selector": {"identifier": 1}}]})",
        R"({"rules": [{"selector": {"identifier": "a", "matchType": "EXACT"}}]})",
        R"({"rules": [{"selector": {"identifier": "a", "constraints": {}}}]})",
        R"({"rules": [{"selector": {"identifier": "a"}, "updates": {"attrs": {"a": 1}}}]})"}) {
    auto policy = ParseSourcePolicy(text);
    ASSERT_FALSE(policy) << text;
    EXPECT_EQ(policy.error().code(), ErrorCode::kInvalid) << text;
  }
}

TEST(SourcePolicy, ATypoNamesTheNearest) {
  auto policy =
      ParseSourcePolicy(R"({"rules": [{"acton": "DENY", "selector": {"identifier": "a"}}]})");
  EXPECT_EQ(policy.error().message(), "rule 1: unknown key \"acton\", did you mean action");
}

}  // namespace
}  // namespace depot::solve::source_policy_test
