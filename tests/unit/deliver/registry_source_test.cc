#include "plugin/deliver/registry_source.h"

#include <gtest/gtest.h>

#include "driver/base/system_roots.h"
#include "driver/base/text.h"
#include "tests/unit/registry/registry_server.h"

namespace depot::deliver::registry_source_test {
namespace {

const Platform kAmd64{"linux", "amd64", ""};
const Platform kArm64{"linux", "arm64", ""};

/// Of several MiB, no piece like another.
std::string LargeLayer() {
  std::string bytes;
  for (int i = 0; bytes.size() < (4U << 20); ++i)
    bytes += Cat(i, ' ');
  return bytes;
}

class RegistrySourceTest : public testing::Test {
 protected:
  /// An image of one layer, in a registry.
  Descriptor AddImage(const std::string& layer,
                      const std::string& architecture,
                      const std::string& tag) {
    const std::string config =
        Cat(R"({"architecture":")", architecture,
            R"(","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:x"]}})");
    const std::string manifest =
        Cat(R"({"schemaVersion":2,"mediaType":")", kOciManifestType,
            R"(","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")",
            server_.AddBlob("a/b", config), R"(","size":)", config.size(),
            R"(},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")",
            server_.AddBlob("a/b", layer), R"(","size":)", layer.size(), "}]}");
    return server_.AddManifest("a/b", tag, std::string(kOciManifestType), manifest);
  }

  std::unique_ptr<ImageSource> Open(const Platform& platform) {
    return MakeRegistrySource(*repository_, "latest", platform);
  }

  /// All that a layer's reader gives, or its error.
  static Result<std::string> ReadAll(LayerReader& reader) {
    std::string all;
    for (;;) {
      TRY_ASSIGN(const std::string piece, reader.Next(Cancel::Never()));
      if (piece.empty()) return all;
      all += piece;
    }
  }

  /// The layer of the image that is there.
  Result<std::string> ReadLayer() {
    auto source = Open(kAmd64);
    TRY_ASSIGN(const DescribedImage image, source->Describe(Cancel::Never()));
    return ReadAll(*source->Open(image.parts.at(0).manifest.layers.at(0)));
  }

  registry::RegistryServer server_;
  std::unique_ptr<http::HttpClient> client_ =
      http::MakeCurlClient("test/1", std::chrono::seconds(5), SystemRoots());
  registry::OneCredential credentials_{std::nullopt};
  registry::Keyring keyring_{credentials_, {}};
  std::unique_ptr<registry::Registries> registries_ =
      registry::MakeRegistries(*client_, keyring_, {});
  std::unique_ptr<registry::Repository> repository_ =
      registries_->Open(server_.Name("a/b"), registry::Access::kPull);
};

TEST_F(RegistrySourceTest, OfAnIndexThePlatformIsGiven) {
  const Descriptor amd64 = AddImage("one", "amd64", "");
  const Descriptor arm64 = AddImage("two", "arm64", "");
  std::string entries;
  for (const auto& [image, name] : {std::pair(&amd64, "amd64"), std::pair(&arm64, "arm64")}) {
    entries += Cat(entries.empty() ? "" : ",", R"({"mediaType":")", kOciManifestType,
                   R"(","digest":")", image->digest, R"(","size":)", image->size,
                   R"(,"platform":{"os":"linux","architecture":")", name, R"("}})");
  }
  server_.AddManifest("a/b", "latest", std::string(kOciIndexType),
                      Cat(R"({"schemaVersion":2,"mediaType":")", kOciIndexType,
                          R"(","manifests":[)", entries, "]}"));
  auto source = Open(kArm64);
  const auto image = source->Describe(Cancel::Never());
  ASSERT_TRUE(image) << image.error().message();
  EXPECT_EQ(image->top.digest, arm64.digest);
  EXPECT_EQ(*ReadAll(*source->Open(image->parts.at(0).manifest.layers.at(0))), "two");
  EXPECT_EQ(Open({"linux", "s390x", ""})->Describe(Cancel::Never()).error().code(),
            ErrorCode::kNotFound);
}

TEST_F(RegistrySourceTest, AnImageForAnotherPlatformIsNotFound) {
  AddImage("one", "arm64", "latest");
  EXPECT_EQ(ReadLayer().error().code(), ErrorCode::kNotFound);
}

TEST_F(RegistrySourceTest, ALayerGoesOnAfterACutAndARefusal) {
  const std::string layer = LargeLayer();
  AddImage(layer, "amd64", "latest");
  server_.set_fault(
      [&](test::Connection& connection, const test::SeenRequest& request, int before) {
        if (request.target != Cat("/v2/a/b/blobs/", DigestOf(layer)) || before > 1) return false;
        if (before == 0) {
          connection.Write(Cat("HTTP/1.1 200 OK\r\nContent-Length: ", layer.size(), "\r\n\r\n",
                               layer.substr(0, layer.size() / 2)));
          connection.Break();
        } else {
          connection.Reply(503, "busy, and these are no bytes of the layer", "Retry-After: 0\r\n");
        }
        return true;
      });
  const auto read = ReadLayer();
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_TRUE(*read == layer);
}

TEST_F(RegistrySourceTest, AnotherContentEndsInAnErrorBeforeTheLastPiece) {
  const std::string layer = LargeLayer();
  AddImage(layer, "amd64", "latest");
  for (const std::string& other : {layer.substr(1) + "x", layer.substr(1), layer + "x"}) {
    server_.set_fault([&](test::Connection& connection, const test::SeenRequest& request, int) {
      if (request.target != Cat("/v2/a/b/blobs/", DigestOf(layer))) return false;
      connection.Reply(200, other, "Docker-Distribution-Api-Version: registry/2.0\r\n");
      return true;
    });
    const auto read = ReadLayer();
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalid) << read.error().message();
  }
}

TEST_F(RegistrySourceTest, AReaderThatNobodyReadsEnds) {
  AddImage(LargeLayer(), "amd64", "latest");
  auto source = Open(kAmd64);
  const auto image = source->Describe(Cancel::Never());
  ASSERT_TRUE(image);
  auto reader = source->Open(image->parts.at(0).manifest.layers.at(0));
  reader->Ask(Cancel::Never());
  EXPECT_FALSE(reader->Next(Cancel::Never())->empty());
}

}  // namespace
}  // namespace depot::deliver::registry_source_test
