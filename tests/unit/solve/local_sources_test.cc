#include "driver/solve/local_sources.h"

#include <gtest/gtest.h>

#include "proto/gateway.pb.h"

namespace depot::solve::local_sources_test {
namespace {

namespace gateway = moby::buildkit::v1::frontend;

const SourceAttributes kAsked = {{"local.session", "s"},
                                 {"local.sharedkeyhint", "context"},
                                 {"local.followpaths", R"(["a","b"])"},
                                 {"local.excludepatterns", R"(["*.log"])"}};

std::string LocalOp(const std::string& name, const SourceAttributes& attrs) {
  pb::Op op;
  op.mutable_source()->set_identifier("local://" + name);
  op.mutable_source()->mutable_attrs()->insert(attrs.begin(), attrs.end());
  return op.SerializeAsString();
}

TEST(LocalSourcesTest, WhatLinkedResultsAskForIsTheirs) {
  gateway::GatewayResult result;
  SourceAttributes linked = kAsked;
  linked["local.followpaths"] = R"(["c"])";
  result.mutable_ref()->mutable_def()->add_def(LocalOp("context", kAsked));
  pb::Definition input;
  input.add_def(LocalOp("context", linked));
  result.mutable_ref()->mutable_def()->add_def(input.def(0));
  const auto all = LocalSourcesOf(result.SerializeAsString());
  const auto own =
      LocalSourcesOf(result.SerializeAsString(), {{"base", input.SerializeAsString()}});
  ASSERT_TRUE(all && own);
  EXPECT_EQ(all->at("context").size(), 2U);
  EXPECT_EQ(own->at("context"), (std::set<SourceAttributes>{kAsked}));
  EXPECT_FALSE(LocalSourcesOf("\xff"));
  EXPECT_FALSE(LocalSourcesOf(result.SerializeAsString(), {{"base", "\xff"}}));
}

TEST(LocalSourcesTest, AFilterSaysAllButThePathsInOneText) {
  SourceAttributes other = kAsked;
  other["local.followpaths"] = R"(["c"])";
  SourceAttributes ignored = kAsked;
  ignored["local.excludepatterns"] = "[]";
  SourceAttributes without = kAsked;
  without.erase("local.session");
  const LocalFilters filters = FiltersOf({{"context", {kAsked, other}},
                                          {"same", {other}},
                                          {"ignored", {ignored}},
                                          {"odd", {kAsked, ignored}},
                                          {"without", {without}}});
  EXPECT_EQ(filters.at("context").follow, (std::set<std::string>{"a", "b", "c"}));
  EXPECT_EQ(filters.at("context").rest, filters.at("same").rest);
  EXPECT_NE(filters.at("context").rest, filters.at("ignored").rest);
  EXPECT_FALSE(filters.contains("odd"));
  EXPECT_FALSE(filters.contains("without"));
}

TEST(LocalSourcesTest, WhatIsSharedHasItsOwnPathsAndKey) {
  SourceAttributes attrs = kAsked;
  Widen({{"x", "y"}, "key"}, attrs);
  EXPECT_EQ(attrs["local.followpaths"], R"(["x","y"])");
  EXPECT_EQ(attrs["local.sharedkeyhint"], "context:key");
  Widen({{}, "all"}, attrs);
  EXPECT_FALSE(attrs.contains("local.followpaths"));
}

}  // namespace
}  // namespace depot::solve::local_sources_test
