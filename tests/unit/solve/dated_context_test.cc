#include "driver/solve/dated_context.h"

#include <gtest/gtest.h>

#include "proto/gateway.pb.h"

#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot::solve::dated_context_test {
namespace {

namespace gateway = moby::buildkit::v1::frontend;

using Attrs = std::map<std::string, std::string>;

DatedContext Main() {
  return {"context", "context", "", 1234567, "the-mark", "content"};
}

std::string LocalOp(const std::string& name, const Attrs& attrs) {
  pb::Op op;
  op.mutable_source()->set_identifier("local://" + name);
  op.mutable_source()->mutable_attrs()->insert(attrs.begin(), attrs.end());
  return op.SerializeAsString();
}

std::string ResultOf(const std::vector<std::string>& ops) {
  gateway::GatewayResult result;
  for (const std::string& op : ops)
    result.mutable_ref()->mutable_def()->add_def(op);
  return result.SerializeAsString();
}

ContextInputs InputsOf(const std::string& result) {
  auto sources = LocalSourcesOf(result);
  EXPECT_TRUE(sources);
  return MakeContextInputs(*sources, {Main()}, {});
}

/// The definition's operations: source, copy, and what points at the copy.
std::vector<pb::Op> OpsOf(const std::string& bytes) {
  pb::Definition definition;
  EXPECT_TRUE(definition.ParseFromString(bytes));
  std::vector<pb::Op> ops(static_cast<std::size_t>(definition.def_size()));
  for (int i = 0; i < definition.def_size(); ++i)
    EXPECT_TRUE(ops[static_cast<std::size_t>(i)].ParseFromString(definition.def(i)));
  EXPECT_EQ(ops.size(), 3U);
  EXPECT_EQ(ops[1].inputs(0).digest(), DigestOf(definition.def(0)));
  EXPECT_EQ(ops[2].inputs(0).digest(), DigestOf(definition.def(1)));
  return ops;
}

const Attrs kAsked = {{"local.session", "s"},
                      {"local.sharedkeyhint", "context"},
                      {"local.followpaths", R"(["a","b"])"},
                      {"local.excludepatterns", R"(["*.log"])"}};

TEST(DatedContextTest, AsksForWhatTheFrontendAsksFor) {
  auto dated = InputsOf(ResultOf({LocalOp("context", kAsked)}));
  ASSERT_EQ(dated.inputs.size(), 1U);
  auto ops = OpsOf(dated.inputs["context"]);
  auto attrs = ops[0].source().attrs();
  EXPECT_EQ(ops[0].source().identifier(), "local://context");
  EXPECT_EQ(attrs["local.followpaths"], R"(["a","b"])");
  EXPECT_EQ(attrs["local.excludepatterns"], R"(["*.log","the-mark"])");
  EXPECT_EQ(attrs["local.session"], "s");
  EXPECT_TRUE(attrs["local.sharedkeyhint"].starts_with("context:content:"));
  EXPECT_EQ(ops[1].file().actions(0).copy().timestamp(), 1234567);
  EXPECT_EQ(ops[1].file().actions(0).input(), -1);
}

TEST(DatedContextTest, OtherFiltersHaveOtherKeysAndSessionsHaveNot) {
  const auto key = [](Attrs attrs) {
    auto dated = InputsOf(ResultOf({LocalOp("context", attrs)}));
    return OpsOf(dated.inputs["context"])[0].source().attrs().at("local.sharedkeyhint");
  };
  Attrs other = kAsked;
  other["local.session"] = "t";
  EXPECT_EQ(key(kAsked), key(other));
  other["local.excludepatterns"] = "[]";
  EXPECT_NE(key(kAsked), key(other));
}

TEST(DatedContextTest, PlatformsThatFollowDifferentPathsShareOneSource) {
  Attrs other = kAsked;
  other["local.followpaths"] = R"(["c"])";
  gateway::GatewayResult result;
  auto& refs = *result.mutable_refs()->mutable_refs();
  refs["linux/amd64"].mutable_def()->add_def(LocalOp("context", kAsked));
  refs["linux/arm64"].mutable_def()->add_def(LocalOp("context", other));
  auto dated = InputsOf(result.SerializeAsString());
  auto ops = OpsOf(dated.inputs["context"]);
  EXPECT_EQ(ops[0].source().attrs().at("local.followpaths"), R"(["a","b","c"])");

  other.erase("local.followpaths");
  *refs["linux/arm64"].mutable_def()->mutable_def(0) = LocalOp("context", other);
  dated = InputsOf(result.SerializeAsString());
  EXPECT_FALSE(OpsOf(dated.inputs["context"])[0].source().attrs().contains("local.followpaths"));

  other["local.excludepatterns"] = "[]";
  *refs["linux/arm64"].mutable_def()->mutable_def(0) = LocalOp("context", other);
  dated = InputsOf(result.SerializeAsString());
  EXPECT_TRUE(dated.inputs.empty());
  EXPECT_NE(dated.reason, "");
}

TEST(DatedContextTest, WhatIsSharedIsAskedForAsAgreed) {
  const SharedFilter filter{{"a", "b", "z"}, "key"};
  auto sources = LocalSourcesOf(ResultOf({LocalOp("context", kAsked), LocalOp("more", kAsked)}));
  ASSERT_TRUE(sources);
  const auto made = MakeContextInputs(
      *sources, {Main()},
      {{"context", "", filter}, {"more", "context:more", filter}, {"absent", "", filter}});
  ASSERT_EQ(made.inputs.size(), 2U);
  EXPECT_EQ(made.names, (std::set<std::string>{"context"}));
  EXPECT_EQ(made.attrs, (Attrs{{"context:more", "input:more"}}));
  const auto dated = OpsOf(made.inputs.at("context"))[0].source().attrs();
  EXPECT_EQ(dated.at("local.followpaths"), R"(["a","b","z"])");
  EXPECT_TRUE(dated.at("local.sharedkeyhint").starts_with("context:key:content:"));
  pb::Definition plain;
  ASSERT_TRUE(plain.ParseFromString(made.inputs.at("more")));
  pb::Op source;
  ASSERT_EQ(plain.def_size(), 2) << "the source, and what points at it";
  ASSERT_TRUE(source.ParseFromString(plain.def(0)));
  EXPECT_EQ(source.source().identifier(), "local://more");
  EXPECT_EQ(source.source().attrs().at("local.sharedkeyhint"), "context:key");
  EXPECT_EQ(source.source().attrs().at("local.session"), "s");
}

TEST(DatedContextTest, WhatIsNotNeededIsNoInput) {
  auto dated = InputsOf(ResultOf({LocalOp("dockerfile", kAsked)}));
  EXPECT_TRUE(dated.inputs.empty());
  EXPECT_EQ(dated.reason, "");
}

TEST(DatedContextTest, WhatIsOddIsLeftToTheFrontend) {
  for (auto [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"local.followpaths", "{}"}, {"local.excludepatterns", "[1]"}, {"local.session", ""}}) {
    Attrs attrs = kAsked;
    attrs[key] = value;
    if (value.empty()) attrs.erase(key);
    auto dated = InputsOf(ResultOf({LocalOp("context", attrs)}));
    EXPECT_TRUE(dated.inputs.empty()) << key;
    EXPECT_NE(dated.reason, "") << key;
  }
  EXPECT_FALSE(LocalSourcesOf("\xff"));
  EXPECT_FALSE(LocalSourcesOf(ResultOf({"\xff"})));
}

TEST(DatedContextTest, AFrontendThatTakesNoInputsIsFound) {
  EXPECT_TRUE(*AsksItself(ResultOf({LocalOp("context", kAsked)}), {Main()}));
  Attrs ours = kAsked;
  ours["local.excludepatterns"] = R"(["*.log","the-mark"])";
  EXPECT_FALSE(*AsksItself(ResultOf({LocalOp("context", ours)}), {Main()}));
  EXPECT_FALSE(*AsksItself(ResultOf({LocalOp("dockerfile", kAsked)}), {Main()}));
}

}  // namespace
}  // namespace depot::solve::dated_context_test
