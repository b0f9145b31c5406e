#include "driver/solve/linked_result.h"

#include <gtest/gtest.h>

#include "proto/gateway.pb.h"

#include "driver/solve/dated_context.h"

namespace depot::solve::linked_result_test {
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

}  // namespace
}  // namespace depot::solve::linked_result_test
