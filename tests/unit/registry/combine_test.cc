#include "driver/registry/combine.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/registry/copy.h"
#include "tests/unit/registry/registry_server.h"

namespace depot::registry::combine_test {
namespace {

using test::Connection;
using test::SeenRequest;

class CombineTest : public testing::Test {
 protected:
  Descriptor AddImage(const std::string& path, const std::string& architecture) {
    std::string config = Cat(R"({"os":"linux","architecture":")", architecture, "\"}");
    std::string digest = server_.AddBlob(path, config);
    return server_.AddManifest(path, architecture, std::string(kOciManifestType),
                               Cat(R"({"config":{"mediaType":")", kOciConfigType, R"(","digest":")",
                                   digest, R"(","size":)", config.size(), R"(},"layers":[]})"));
  }

  CombineSource Source(const std::string& path, const std::string& tag) {
    repositories_.push_back(registries_->Open(server_.Name(path), Access::kPull));
    CombineSource source;
    source.repository = repositories_.back().get();
    StoredManifest stored = *source.repository->GetManifest(tag, Cancel::Never());
    Json json;
    json.Set("mediaType", Json::String(stored.media_type));
    json.Set("digest", Json::String(stored.digest));
    json.Set("size", Json::Number(static_cast<std::int64_t>(stored.bytes.size())));
    source.descriptor = *ReadDescriptor(json);
    source.bytes = stored.bytes;
    return source;
  }

  RegistryServer server_;
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("test", std::chrono::seconds(5), {});
  OneCredential credential_{std::nullopt};
  Keyring keyring_{credential_, {}};
  std::unique_ptr<Registries> registries_ = MakeRegistries(*client_, keyring_, {});
  std::vector<std::unique_ptr<Repository>> repositories_;
};

TEST_F(CombineTest, ImagesGetThePlatformOfTheirConfigAndStandOnce) {
  AddImage("a", "amd64");
  AddImage("a", "arm64");
  CombineRequest request;
  request.sources = {Source("a", "amd64"), Source("a", "arm64"), Source("a", "amd64")};
  Result<CombinedImage> image = CombineImages(request, Cancel::Never());
  ASSERT_TRUE(image);
  EXPECT_EQ(image->media_type, kOciIndexType);
  ASSERT_EQ(image->parts.size(), 2u);
  EXPECT_EQ(image->parts[1].descriptor.platform, (Platform{"linux", "arm64", ""}));
  EXPECT_TRUE(image->bytes.starts_with("{\n  \"schemaVersion\": 2,\n  \"mediaType\": "));

  request.platforms = {{"linux", "arm64", ""}};
  image = CombineImages(request, Cancel::Never());
  ASSERT_TRUE(image);
  EXPECT_EQ(image->parts.size(), 1u);
  request.platforms = {{"linux", "riscv64", ""}};
  EXPECT_EQ(CombineImages(request, Cancel::Never()).error().code(), ErrorCode::kFailed);
}

TEST_F(CombineTest, OneImageStaysAsItIsWhenAskedTo) {
  const Descriptor amd = AddImage("a", "amd64");
  CombineRequest request;
  request.sources = {Source("a", "amd64")};
  request.prefer_index = false;
  EXPECT_EQ(CombineImages(request, Cancel::Never())->digest, amd.digest);
}

TEST_F(CombineTest, AnIndexThatNestsForEverIsNotCopied) {
  Descriptor inner = AddImage("a", "amd64");
  for (int depth = 0; depth < 8; ++depth) {
    inner = server_.AddManifest(
        "a", "nested", std::string(kOciIndexType),
        Cat(R"({"manifests":[{"mediaType":")", inner.media_type, R"(","digest":")", inner.digest,
            R"(","size":)", inner.size, "}]}"));
  }
  auto from = registries_->Open(server_.Name("a"), Access::kPull);
  auto to = registries_->Open(server_.Name("b"), Access::kPush);
  const CopyPlaces places{*from, *to, "", "/tmp", {}};
  Result<> copied = CopyManifest(places, inner, Cancel::Never());
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code(), ErrorCode::kInvalid);
  EXPECT_NE(copied.error().message().find("too deep"), std::string::npos);
}

}  // namespace
}  // namespace depot::registry::combine_test
