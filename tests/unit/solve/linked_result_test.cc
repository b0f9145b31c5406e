#include "driver/solve/linked_result.h"

#include <gtest/gtest.h>

#include "proto/gateway.pb.h"

#include "driver/solve/dated_context.h"

namespace depot::solve {
namespace {

namespace wire = moby::buildkit::v1::frontend;

using Texts = std::map<std::string, std::string>;

TEST(LinkedResult, OneImageIsAnInputWithItsConfiguration) {
  wire::GatewayResult result;
  result.mutable_ref()->mutable_def()->add_def("op");
  (*result.mutable_metadata())["containerimage.config"] = "{}";
  auto link = LinkResult(result.SerializeAsString(), "base", "0-base");
  ASSERT_TRUE(link);
  EXPECT_EQ(link->attrs, (Texts{{"context:base", "input:0-base"},
                                {"input-metadata:0-base", R"({"containerimage.config":"e30="})"}}));
  ASSERT_EQ(link->inputs.size(), 1U);
  EXPECT_EQ(link->inputs["0-base"], result.ref().def().SerializeAsString());
}

TEST(LinkedResult, EachPlatformIsAnInput) {
  wire::GatewayResult result;
  auto& refs = *result.mutable_refs()->mutable_refs();
  refs["linux/amd64"].mutable_def()->add_def("a");
  refs["linux/arm64"].mutable_def()->add_def("b");
  (*result.mutable_metadata())["containerimage.config/linux/arm64"] = "{}";
  auto link = LinkResult(result.SerializeAsString(), "base", "x");
  ASSERT_TRUE(link);
  EXPECT_EQ(link->attrs,
            (Texts{{"context:base::linux/amd64", "input:x::linux/amd64"},
                   {"context:base::linux/arm64", "input:x::linux/arm64"},
                   {"input-metadata:x::linux/arm64", R"({"containerimage.config":"e30="})"}}));
  EXPECT_EQ(link->inputs.size(), 2U);
}

TEST(LinkedResult, OneWithoutFilesIsAnEmptyInput) {
  auto link = LinkResult("", "base", "x");
  ASSERT_TRUE(link);
  pb::Definition empty;
  ASSERT_TRUE(empty.ParseFromString(link->inputs["x"]));
  EXPECT_EQ(empty.def_size(), 2);
  EXPECT_FALSE(LinkResult("\xff", "base", "x"));
}

TEST(LinkedResult, LocalSourcesAreCounted) {
  wire::GatewayResult result;
  for (const char* paths : {R"(["a"])", R"(["b"])"}) {
    pb::Op op;
    op.mutable_source()->set_identifier("local://context");
    (*op.mutable_source()->mutable_attrs())["local.followpaths"] = paths;
    for (int twice = 0; twice < 2; ++twice)
      result.mutable_ref()->mutable_def()->add_def(op.SerializeAsString());
  }
  auto counts = CountLocalSources(result.SerializeAsString());
  ASSERT_TRUE(counts);
  EXPECT_EQ(*counts, (std::map<std::string, std::size_t>{{"context", 2}}));
  EXPECT_FALSE(CountLocalSources("\xff"));
}

}  // namespace
}  // namespace depot::solve
