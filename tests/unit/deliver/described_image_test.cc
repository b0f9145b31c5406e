#include "plugin/deliver/described_image.h"

#include <map>

#include <gtest/gtest.h>

#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot::deliver::described_image_test {
namespace {

/// Contents by their digests.
class Contents {
 public:
  Descriptor Put(const std::string& type, const std::string& bytes) {
    Descriptor descriptor = MakeDescriptor(type, DigestOf(bytes), bytes.size());
    all_[descriptor.digest] = bytes;
    return descriptor;
  }
  static std::string Entry(const Descriptor& blob, const std::string& more = "") {
    return Cat(R"({"mediaType":")", blob.media_type, R"(","digest":")", blob.digest, R"(","size":)",
               blob.size, more, "}");
  }
  /// An image of one layer.
  Descriptor PutImage(const std::string& architecture, const std::string& diff_ids = R"(["d"])") {
    const Descriptor config =
        Put(std::string(kOciConfigType), Cat(R"({"os":"linux","architecture":")", architecture,
                                             R"(","rootfs":{"diff_ids":)", diff_ids, "}}"));
    const Descriptor layer = Put("layer", Cat("layer of ", architecture));
    return Put(std::string(kOciManifestType),
               Cat(R"({"config":)", Entry(config), R"(,"layers":[)", Entry(layer), "]}"));
  }
  Descriptor PutIndex(const std::string& entries) {
    return Put(std::string(kOciIndexType), Cat(R"({"manifests":[)", entries, "]}"));
  }
  ReadDescription Reader() const {
    return [this](const std::string& digest) -> Result<std::string> {
      auto found = all_.find(digest);
      if (found == all_.end()) return Fail(ErrorCode::kNotFound, "not there");
      return found->second;
    };
  }
  std::map<std::string, std::string> all_;
};

class DescribedImageTest : public testing::Test {
 protected:
  DescribedImageTest() {
    amd64_ = contents_.PutImage("amd64");
    arm64_ = contents_.PutImage("arm64");
    const std::string about =
        Cat(R"(,"platform":{"os":"unknown","architecture":"unknown"},"annotations":{)",
            R"("vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":")",
            amd64_.digest, R"("})");
    const Descriptor config = contents_.Put(std::string(kOciConfigType), "{}");
    const Descriptor statement = contents_.Put("application/vnd.in-toto+json", "s");
    attestation_ = contents_.Put(std::string(kOciManifestType),
                                 Cat(R"({"config":)", Contents::Entry(config), R"(,"layers":[)",
                                     Contents::Entry(statement), "]}"));
    index_ = contents_.PutIndex(Cat(Contents::Entry(amd64_), ",", Contents::Entry(arm64_), ",",
                                    Contents::Entry(attestation_, about)));
  }

  Contents contents_;
  Descriptor amd64_;
  Descriptor arm64_;
  Descriptor attestation_;
  Descriptor index_;
};

TEST_F(DescribedImageTest, AnIndexIsReadWithAllThatItLists) {
  auto image = DescribeImage(index_, contents_.Reader());
  ASSERT_TRUE(image) << image.error().message();
  ASSERT_EQ(image->parts.size(), 3u);
  EXPECT_EQ(FormatPlatform(*image->parts[1].platform), "linux/arm64");
  EXPECT_EQ(image->parts[0].diff_ids, (std::vector<std::string>{"d"}));
  EXPECT_TRUE(image->parts[2].attests);
}

TEST_F(DescribedImageTest, AClassicStoreGetsItsOwnPlatform) {
  auto image = DescribeImage(index_, contents_.Reader());
  auto own = OnlyPart(*image, Platform{"linux", "arm64", ""});
  ASSERT_TRUE(own);
  EXPECT_EQ(own->top.digest, arm64_.digest);
  EXPECT_EQ(own->parts.size(), 1u);
  EXPECT_FALSE(OnlyPart(*image, Platform{"linux", "s390x", ""}));
  EXPECT_FALSE(OnlyPart(*image, std::nullopt));
  // The only one that there is may be another machine's, as the user has said.
  auto alone = DescribeImage(arm64_, contents_.Reader());
  EXPECT_TRUE(OnlyPart(*alone, Platform{"linux", "amd64", ""}));
}

TEST_F(DescribedImageTest, ContentUnderAnotherDigestIsRefused) {
  contents_.all_[arm64_.digest] = contents_.all_[amd64_.digest];
  EXPECT_FALSE(DescribeImage(index_, contents_.Reader()));
}

TEST_F(DescribedImageTest, AConfigurationMustFitItsManifest) {
  const Descriptor image = contents_.PutImage("amd64", R"(["d","e"])");
  EXPECT_FALSE(DescribeImage(image, contents_.Reader()));
}

TEST_F(DescribedImageTest, AnImageThatNeverEndsIsRefused) {
  // The same large manifest under as many entries as an index has room for.
  const std::string space(kMaxManifestSize / 2, ' ');
  std::string large = contents_.all_[amd64_.digest];
  large.insert(1, space);
  const Descriptor one = contents_.Put(std::string(kOciManifestType), large);
  std::string entries = Contents::Entry(one);
  for (int i = 0; i < 14; ++i)
    entries += Cat(",", Contents::Entry(one));
  EXPECT_TRUE(DescribeImage(contents_.PutIndex(entries), contents_.Reader()));
  entries += Cat(",", Contents::Entry(one), ",", Contents::Entry(one));
  EXPECT_FALSE(DescribeImage(contents_.PutIndex(entries), contents_.Reader()));
}

TEST_F(DescribedImageTest, SizesThatNoImageHasAreRefused) {
  const std::string config = R"({"rootfs":{"diff_ids":["d","e"]}})";
  const Descriptor own = contents_.Put(std::string(kOciConfigType), config);
  Descriptor layer = contents_.Put("layer", "layer");
  for (const std::int64_t size : {std::int64_t{1} << 49, std::int64_t{1} << 62}) {
    layer.size = size;
    const Descriptor image =
        contents_.Put(std::string(kOciManifestType),
                      Cat(R"({"config":)", Contents::Entry(own), R"(,"layers":[)",
                          Contents::Entry(layer), ",", Contents::Entry(layer), "]}"));
    EXPECT_EQ(DescribeImage(image, contents_.Reader()).has_value(), size < std::int64_t{1} << 50);
  }
}

TEST_F(DescribedImageTest, WhatSeveralBuildersMadeIsOneImage) {
  std::vector<DescribedImage> images;
  for (const Descriptor& one : {arm64_, amd64_})
    images.push_back(*DescribeImage(one, contents_.Reader()));
  const std::vector<Platform> platforms = {{"linux", "amd64", ""}, {"linux", "arm64", ""}};
  auto joined = JoinImages(images, platforms, {});
  ASSERT_TRUE(joined) << joined.error().message();
  EXPECT_EQ(DigestOf(joined->index), joined->top.digest);
  ASSERT_EQ(joined->parts.size(), 2u);
  EXPECT_EQ(joined->parts[0].descriptor.digest, amd64_.digest);
  EXPECT_EQ(joined->parts[0].source, 1u);
  EXPECT_EQ(joined->parts[1].source, 0u);
  auto index = ParseIndex(joined->index);
  ASSERT_TRUE(index);
  EXPECT_EQ(FormatPlatform(*index->manifests[1].platform), "linux/arm64");
  // One of them may have attestations.
  auto whole = DescribeImage(index_, contents_.Reader());
  images[1] = *OnlyPart(*whole, Platform{"linux", "amd64", ""});
  EXPECT_TRUE(JoinImages({*whole}, platforms, {}));
  EXPECT_FALSE(JoinImages({images[0]}, platforms, {}));
}

TEST_F(DescribedImageTest, TheTopIsWhatNothingElseLists) {
  const ReadDescription read = contents_.Reader();
  EXPECT_EQ(TopOf({amd64_.digest, arm64_.digest, attestation_.digest, index_.digest}, read),
            index_.digest);
  EXPECT_EQ(TopOf({amd64_.digest}, read), amd64_.digest);
  EXPECT_EQ(TopOf({amd64_.digest, arm64_.digest}, read), "");
  EXPECT_EQ(TopOf({}, read), "");
}

}  // namespace
}  // namespace depot::deliver::described_image_test
