#include "plugin/deliver/metadata.h"

#include <gtest/gtest.h>

#include "driver/base/encode.h"
#include "driver/base/json.h"

namespace depot::deliver::metadata_test {
namespace {

TEST(Metadata, ObjectsAreEmbeddedAndTextStaysText) {
  ExporterResponse response = {
      {"containerimage.digest", "sha256:aa"},
      {"containerimage.descriptor", Base64(R"({"mediaType":"m","size":7})")},
      {"list", Base64(R"([{"a":1}])")},
      {"numbers", Base64("[1,2]")},
      {"empty", ""},
      {"result.json", Base64(R"({"x":1})")},
      {"image.name", "docker.io/library/x:latest"}};
  auto json = Json::Parse(MetadataJson(response, "b/b0/ref1"));
  ASSERT_TRUE(json);
  EXPECT_EQ((*json)["containerimage.digest"].AsString(), "sha256:aa");
  EXPECT_EQ((*json)["containerimage.descriptor"]["size"].AsInt(), 7);
  EXPECT_TRUE((*json)["list"].is_array());
  EXPECT_EQ((*json)["numbers"].AsString(), Base64("[1,2]"));
  EXPECT_EQ((*json)["result.json"].AsString(), Base64(R"({"x":1})"));
  EXPECT_EQ((*json)["buildx.build.ref"].AsString(), "b/b0/ref1");
}

TEST(Metadata, WhereTheSbomsAreOnTheBuilderIsNotTold) {
  auto json = Json::Parse(MetadataJson({{"depot/sboms", Base64(R"([{"digest":"x"}])")}}, "ref1"));
  ASSERT_TRUE(json);
  EXPECT_EQ(json->Keys(), std::vector<std::string>{"buildx.build.ref"});
}

TEST(Metadata, TheImageIdIsTheOneThatTheStoreKnows) {
  ExporterResponse both = {{"containerimage.digest", "m"}, {"containerimage.config.digest", "c"}};
  EXPECT_EQ(ImageId(both, ImageIdKind::kConfig), "c");
  EXPECT_EQ(ImageId(both, ImageIdKind::kManifest), "m");
  EXPECT_EQ(ImageId({{"containerimage.digest", "m"}}, ImageIdKind::kConfig), "m");
  EXPECT_EQ(ImageId({{"containerimage.config.digest", "c"}}, ImageIdKind::kManifest), "c");
  EXPECT_EQ(ImageId({}, ImageIdKind::kManifest), "");
}

}  // namespace
}  // namespace depot::deliver::metadata_test
