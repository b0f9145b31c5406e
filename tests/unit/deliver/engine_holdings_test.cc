#include "plugin/deliver/engine_holdings.h"

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/disk/whole_file.h"
#include "driver/oci/digest.h"
#include "tests/unit/deliver/known_engine.h"
#include "tests/unit/files/temporary_tree.h"

namespace depot::deliver::engine_holdings_test {
namespace {

/// An image of layers that are called by `blobs`, with these diff ids.
DescribedImage ImageOf(const std::vector<std::string>& blobs, std::vector<std::string> diff_ids) {
  DescribedImage image;
  ImagePart& part = image.parts.emplace_back();
  std::string layers;
  for (const std::string& blob : blobs) {
    Descriptor layer;
    layer.digest = DigestOf(blob);
    layer.size = 1'000'000;
    layers += Cat(layers.empty() ? "" : ",", R"({"mediaType":"l","size":1000000,"digest":")",
                  layer.digest, R"("})");
    part.manifest.layers.push_back(layer);
  }
  part.diff_ids = std::move(diff_ids);
  part.manifest.config.digest = DigestOf(Join(part.diff_ids, " "));
  part.bytes = Cat(R"({"config":{"mediaType":"c","size":1,"digest":")", part.manifest.config.digest,
                   R"("},"layers":[)", layers, "]}");
  part.descriptor.digest = DigestOf(part.bytes);
  image.top = part.descriptor;
  return image;
}

std::set<std::string> Digests(const std::vector<std::string>& blobs) {
  std::set<std::string> digests;
  for (const std::string& blob : blobs)
    digests.insert(DigestOf(blob));
  return digests;
}

class HoldingsTest : public testing::Test {
 protected:
  Holdings Ask(const DescribedImage& image, const std::vector<std::string>& names = {}) {
    auto holdings = AskForHoldings(engine_, info_, image, names, loaded_, Cancel::Never());
    EXPECT_TRUE(holdings);
    return *holdings;
  }

  bool IsWhole(const DescribedImage& image, const std::set<std::string>& there) {
    return *deliver::IsWhole(engine_, image, there, {}, loaded_, Cancel::Never());
  }

  files::TemporaryTree folder_;
  test::KnownEngine engine_;
  docker::EngineInfo info_{"28", "id", std::nullopt, false};
  LoadedImages loaded_{folder_.root(), "id"};
};

TEST_F(HoldingsTest, AClassicStoreHasTheLayersThatAnImageBeginsWith) {
  engine_.images_ = {{DigestOf("other"), {}, {"a", "b", "x"}, {}},
                     {DigestOf("third"), {}, {"b", "c"}, {}}};
  EXPECT_EQ(Ask(ImageOf({"A", "B", "C"}, {"a", "b", "c"})).blobs, Digests({"A", "B"}));
}

TEST_F(HoldingsTest, MoreImagesAreAskedAboutTheMoreThereIsToBeSent) {
  const auto asked = [&](std::int64_t size) {
    DescribedImage image = ImageOf({"A", "B"}, {"a", "b"});
    image.parts[0].manifest.layers[1].size = size;
    engine_.images_ = {{DigestOf("named"), {}, {"a"}, {}}};
    for (int i = 0; i < 500; ++i)
      engine_.images_.push_back({DigestOf(Cat(i)), {}, {"x"}, {}});
    engine_.asked_ = 0;
    EXPECT_EQ(Ask(image, {DigestOf("named")}).blobs, Digests({"A"}));
    return engine_.asked_;
  };
  EXPECT_LE(asked(1000), 3);
  EXPECT_LE(asked(1'000'000), 20);
  EXPECT_GT(asked(1'000'000'000), 90);
  EXPECT_LT(asked(1'000'000'000), 110);
}

TEST_F(HoldingsTest, ABlobThatIsAlsoAHigherLayerIsSent) {
  engine_.images_ = {{DigestOf("other"), {}, {"a"}, {}}};
  EXPECT_EQ(Ask(ImageOf({"A", "A"}, {"a", "a"})).blobs, Digests({}));
}

TEST_F(HoldingsTest, AClassicStoreKnowsAnImageByItsConfiguration) {
  const DescribedImage image = ImageOf({"A"}, {"a"});
  engine_.images_ = {{image.parts[0].manifest.config.digest, {}, {"a"}, {}}};
  EXPECT_TRUE(Ask(image).whole);
}

TEST_F(HoldingsTest, AnOldContainerdStoreHasTheBlobsOfRememberedImages) {
  info_.containerd_store = true;
  const DescribedImage before = ImageOf({"A", "B"}, {"a", "b"});
  engine_.images_ = {{before.top.digest, {}, {"a", "b"}, {}}};
  EXPECT_TRUE(Ask(ImageOf({"A", "C"}, {"a", "c"})).blobs.empty());
  EXPECT_FALSE(Ask(before).whole);
  loaded_.Keep(before);
  EXPECT_EQ(Ask(ImageOf({"A", "C"}, {"a", "c"})).blobs, Digests({"A"}));
  EXPECT_TRUE(Ask(before).whole);
  // What it has no more does not count.
  engine_.images_.clear();
  EXPECT_TRUE(Ask(ImageOf({"A", "C"}, {"a", "c"})).blobs.empty());
}

TEST_F(HoldingsTest, ARecordThatWasTamperedWithIsNone) {
  info_.containerd_store = true;
  const DescribedImage before = ImageOf({"A"}, {"a"});
  loaded_.Keep(before);
  ASSERT_TRUE(loaded_.Find(before.top.digest));
  const std::string place =
      Cat(folder_.root(), "/", Sha256Hex("id").substr(0, 16), "/", before.top.digest.substr(7));
  ASSERT_TRUE(disk::WriteWholeFile(place, ImageOf({"B"}, {"b"}).parts[0].bytes));
  EXPECT_FALSE(loaded_.Find(before.top.digest));
}

TEST_F(HoldingsTest, AnEngineThatTellsWhatIsWholeIsTakenByTheContentOfLayers) {
  info_.containerd_store = true;
  engine_.images_ = {{DigestOf("other"), {}, {"x", "b"}, {{DigestOf("m"), true}}},
                     {DigestOf("half"), {}, {"a"}, {{DigestOf("n"), false}}}};
  EXPECT_EQ(Ask(ImageOf({"A", "B"}, {"a", "b"})).blobs, Digests({"B"}));
}

TEST_F(HoldingsTest, AnImageOfWhichAManifestIsNotWholeIsNotWhole) {
  info_.containerd_store = true;
  const DescribedImage image = ImageOf({"A"}, {"a"});
  engine_.images_ = {{image.top.digest, {}, {"a"}, {{image.top.digest, false}}}};
  EXPECT_FALSE(Ask(image).whole);
  EXPECT_FALSE(IsWhole(image, {}));
  engine_.images_[0].manifests[image.top.digest] = true;
  EXPECT_TRUE(Ask(image).whole);
  EXPECT_TRUE(IsWhole(image, {}));
}

TEST_F(HoldingsTest, AnOldContainerdStoreKeepsWhatWasNotSentWhileAnotherImageHasIt) {
  info_.containerd_store = true;
  const DescribedImage before = ImageOf({"A", "B"}, {"a", "b"});
  const DescribedImage image = ImageOf({"A", "C"}, {"a", "c"});
  loaded_.Keep(before);
  loaded_.Keep(image);
  engine_.images_ = {{before.top.digest, {}, {"a", "b"}, {}},
                     {image.top.digest, {}, {"a", "c"}, {}}};
  EXPECT_TRUE(IsWhole(image, Digests({"A"})));
  // It does not vouch for itself.
  engine_.images_.erase(engine_.images_.begin());
  EXPECT_FALSE(IsWhole(image, Digests({"A"})));
  EXPECT_TRUE(IsWhole(image, {}));
}

TEST_F(HoldingsTest, AnImageThatGoesWhileTheyAreListedCostsOnlyWhatTheListWouldHaveSaved) {
  engine_.images_ = {{DigestOf("named"), {}, {"a", "x"}, {}},
                     {DigestOf("other"), {}, {"a", "b"}, {}}};
  engine_.list_failure_ = Error(ErrorCode::kNotFound, "content digest sha256:12: not found");
  EXPECT_EQ(Ask(ImageOf({"A", "B"}, {"a", "b"}), {DigestOf("named")}).blobs, Digests({"A"}));
  engine_.list_failure_ = Error(ErrorCode::kFailed, "no");
  const auto refused =
      AskForHoldings(engine_, info_, ImageOf({"A"}, {"a"}), {}, loaded_, Cancel::Never());
  EXPECT_FALSE(refused);
}

TEST_F(HoldingsTest, AnEngineOnWhichEveryQuestionFailsIsAnError) {
  engine_.failure_ = Error(ErrorCode::kUnavailable, "gone");
  EXPECT_FALSE(AskForHoldings(engine_, info_, ImageOf({"A"}, {"a"}), {}, loaded_, Cancel::Never()));
}

}  // namespace
}  // namespace depot::deliver::engine_holdings_test
