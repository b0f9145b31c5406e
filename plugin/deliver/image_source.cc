#include "plugin/deliver/image_source.h"

#include "driver/oci/digest.h"
#include "driver/solve/blob_reader.h"
#include "driver/solve/content.h"

namespace depot::deliver {
namespace {

class BuilderLayer final : public LayerReader {
 public:
  BuilderLayer(builder::Builder& builder, const Descriptor& layer)
      : reader_(builder, layer.digest, layer.size) {}

  void Ask(const Cancel& cancel) override { reader_.Ask(cancel); }
  Result<std::string> Next(const Cancel& cancel) override { return reader_.Next(cancel); }

 private:
  solve::BlobReader reader_;
};

class BuilderSource final : public ImageSource {
 public:
  BuilderSource(builder::Builder& builder,
                const session::DescriptionStore& described,
                const ExporterResponse& response)
      : builder_(builder), described_(described), response_(response) {}

  Result<DescribedImage> Describe(const Cancel& cancel) override {
    auto read = [&](const std::string& digest) -> Result<std::string> {
      std::optional<std::string> sent = Kept(digest);
      if (sent) return *std::move(sent);
      return solve::ReadBlob(builder_, digest, kMaxManifestSize, cancel);
    };
    const std::string digest = TopDigest();
    if (!IsDigest(digest)) return Fail(ErrorCode::kInvalid, "the builder did not name its image");
    TRY_ASSIGN(const std::string bytes, read(digest));
    std::string type = OwnMediaType(bytes);
    if (type.empty()) type = ParseIndex(bytes) ? kOciIndexType : kOciManifestType;
    return DescribeImage(MakeDescriptor(type, digest, bytes.size()), read);
  }

  std::optional<std::string> Kept(const std::string& digest) const override {
    return described_.Find(digest);
  }

  std::unique_ptr<LayerReader> Open(const Descriptor& layer) override {
    return std::make_unique<BuilderLayer>(builder_, layer);
  }

 private:
  /// With a push beside it, the answer may be about what was pushed.
  std::string TopDigest() const {
    auto sent = [this](const std::string& digest) -> Result<std::string> {
      std::optional<std::string> found = Kept(digest);
      if (found) return *std::move(found);
      return Fail(ErrorCode::kNotFound, "it was not sent");
    };
    std::string digest = TopOf(described_.manifests(), sent);
    if (!digest.empty()) return digest;
    auto said = response_.find("containerimage.digest");
    return said == response_.end() ? "" : said->second;
  }

  builder::Builder& builder_;
  const session::DescriptionStore& described_;
  const ExporterResponse& response_;
};

}  // namespace

std::unique_ptr<ImageSource> MakeBuilderSource(builder::Builder& builder,
                                               const session::DescriptionStore& described,
                                               const ExporterResponse& response) {
  return std::make_unique<BuilderSource>(builder, described, response);
}

}  // namespace depot::deliver
