#include "driver/docker/config_edit.h"

#include <gtest/gtest.h>

namespace depot::docker::config_edit_test {
namespace {

std::string With(std::string_view text) {
  auto edited = WithAlias(text, "builder", "depot");
  if (!edited) ADD_FAILURE() << edited.error().message();
  return edited.value_or("");
}

std::string Without(std::string_view text) {
  auto edited = WithAlias(text, "builder", std::nullopt);
  if (!edited) ADD_FAILURE() << edited.error().message();
  return edited.value_or("");
}

constexpr std::string_view kOwn = R"({
  "auths": {
    "r.test": {"auth": "dTpw"}
  },
  "psFormat": "a, } \" {\\",
  "future": [1e40, 12345678901234567890123, -0.10, "é\u00e9", {"x": [ ]}],
  "detachKeys": "ctrl-e,e"
}
)";

TEST(ConfigEdit, AMemberIsAddedAndNothingElseMoves) {
  const std::string edited = With(kOwn);
  const std::string tail = ",\n  \"aliases\": {\"builder\": \"depot\"}\n}\n";
  EXPECT_EQ(edited, std::string(kOwn.substr(0, kOwn.size() - 3)) + tail);
  EXPECT_EQ(Without(edited), kOwn);
  EXPECT_EQ(With(edited), edited) << "twice is once";
}

TEST(ConfigEdit, OtherAliasesStay) {
  const std::string_view other = "{\"aliases\": {\"a\": \"b\", \"c\":\"d\"}, \"auths\":{}}";
  const std::string edited = With(other);
  EXPECT_EQ(edited,
            "{\"aliases\": {\"a\": \"b\", \"c\":\"d\", \"builder\": \"depot\"}, \"auths\":{}}");
  EXPECT_EQ(Without(edited), other);
  EXPECT_EQ(Without("{\"aliases\": {\"builder\": \"depot\", \"c\":\"d\"}}"),
            "{\"aliases\": {\"c\":\"d\"}}");
  EXPECT_EQ(Without("{\"aliases\": {\"c\":\"d\"\n,\"builder\" : \"depot\" }}"),
            "{\"aliases\": {\"c\":\"d\" }}");
}

TEST(ConfigEdit, EmptyFilesAndObjects) {
  EXPECT_EQ(With(""), "{\n\t\"aliases\": {\"builder\": \"depot\"}\n}\n");
  EXPECT_EQ(With(" \n"), With(""));
  EXPECT_EQ(Without(With("{}")), "{}");
  EXPECT_EQ(With("{\"aliases\":{}}"), "{\"aliases\":{\n\t\"builder\": \"depot\"\n}}");
  EXPECT_EQ(With("{\"aliases\": null, \"a\":1}"),
            "{\"aliases\": {\"builder\": \"depot\"}, \"a\":1}");
  EXPECT_EQ(Without("{\"aliases\": null}"), "{\"aliases\": null}");
  EXPECT_EQ(Without("{\"a\":1}"), "{\"a\":1}");
}

TEST(ConfigEdit, OnlyTheTopLevelsAliasesAreMeant) {
  const std::string_view nested = "{\"plugins\":{\"aliases\":{\"builder\":\"x\"}}}";
  EXPECT_FALSE(AliasOf(nested, "builder").value());
  EXPECT_EQ(
      With(nested),
      "{\"plugins\":{\"aliases\":{\"builder\":\"x\"}},\"aliases\": {\"builder\": \"depot\"}}");
  EXPECT_EQ(Without(nested), nested);
  EXPECT_EQ(AliasOf("{\"\\u0061liases\":{\"b\\u0075ilder\":\"x\"}}", "builder").value(), "x");
  EXPECT_EQ(With("{\"\\u0061liases\":{\"b\\u0075ilder\":\"x\"}}"),
            "{\"\\u0061liases\":{\"builder\": \"depot\"}}");
}

TEST(ConfigEdit, OfTwoTheLastCountsAsForDocker) {
  const std::string_view twice = "{\"aliases\":{\"builder\":\"x\",\"builder\":\"y\"}}";
  EXPECT_EQ(AliasOf(twice, "builder").value(), "y");
  EXPECT_EQ(With(twice), "{\"aliases\":{\"builder\":\"x\",\"builder\": \"depot\"}}");
}

TEST(ConfigEdit, WhatIsNoConfigIsRefusedWithoutItsText) {
  for (const char* text : {"{broken", "[]", "\"s3cret\"", "{} {}", "{\"aliases\":[\"s3cret\"]}",
                           "{\"aliases\":\"s3cret\"}", "{\"aliases\":7}"}) {
    for (const auto& command : {std::optional<std::string>("depot"), {}}) {
      auto edited = WithAlias(text, "builder", command);
      ASSERT_FALSE(edited) << text;
      EXPECT_EQ(edited.error().code(), ErrorCode::kInvalid);
      EXPECT_EQ(edited.error().message().find("s3cret"), std::string::npos);
    }
    EXPECT_FALSE(AliasOf(text, "builder")) << text;
  }
  EXPECT_FALSE(AliasOf("{\"aliases\":{\"builder\":[1]}}", "builder"));
}

}  // namespace
}  // namespace depot::docker::config_edit_test
