#include "plugin/deliver/described_image.h"

#include <algorithm>
#include <map>
#include <set>

#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot::deliver {
namespace {

Error Misdescribed(std::string_view what) {
  return Error(ErrorCode::kInvalid, Cat("the builder's image is malformed: ", what));
}

/// What one image's description is read by: it ends, whatever the builder says.
class Reading {
 public:
  explicit Reading(const ReadDescription& read) : read_(read) {}

  Result<std::string> Read(const std::string& digest) {
    TRY_ASSIGN(std::string bytes, read_(digest));
    if (DigestOf(bytes) != digest) return Fail(Misdescribed(Cat(digest, " has another content")));
    bytes_ += bytes.size();
    if (bytes_ > kMaxDescription) return Fail(Misdescribed("its manifests are too many"));
    return bytes;
  }

  Result<> CheckSizes(const Manifest& manifest) {
    for (const Descriptor& layer : manifest.layers) {
      if (layer.size > kMaxImage - blobs_) return Fail(Misdescribed("no image is so large"));
      blobs_ += layer.size;
    }
    return {};
  }

 private:
  static constexpr std::size_t kMaxDescription = 32 << 20;
  static constexpr std::int64_t kMaxImage = std::int64_t{1} << 50;

  const ReadDescription& read_;
  std::size_t bytes_ = 0;
  std::int64_t blobs_ = 0;
};

Result<> ReadConfig(ImagePart& part) {
  TRY_ASSIGN(const Json config, Json::Parse(part.config));
  const Json diff_ids = config["rootfs"]["diff_ids"];
  for (std::size_t i = 0; i < diff_ids.size(); ++i)
    part.diff_ids.push_back(diff_ids[i].AsString());
  if (part.diff_ids.size() != part.manifest.layers.size()) {
    return Fail(Misdescribed("its configuration and its manifest differ in their layers"));
  }
  part.platform = part.descriptor.platform ? part.descriptor.platform : ReadPlatform(config);
  return {};
}

Result<ImagePart> ReadPart(const Descriptor& descriptor, std::string bytes, Reading& reading) {
  ImagePart part;
  part.descriptor = descriptor;
  TRY_ASSIGN(part.manifest, ParseManifest(bytes));
  TRY(reading.CheckSizes(part.manifest));
  part.bytes = std::move(bytes);
  TRY_ASSIGN(part.config, reading.Read(part.manifest.config.digest));
  part.attests = !AttestedDigest(descriptor).empty();
  if (!part.attests) TRY(ReadConfig(part));
  return part;
}

}  // namespace

Result<DescribedImage> DescribeImage(const Descriptor& top, const ReadDescription& read) {
  DescribedImage image;
  image.top = top;
  Reading reading(read);
  TRY_ASSIGN(std::string bytes, reading.Read(top.digest));
  if (!IsIndex(top.media_type)) {
    TRY_ASSIGN(ImagePart part, ReadPart(top, std::move(bytes), reading));
    image.parts.push_back(std::move(part));
    return image;
  }
  TRY_ASSIGN(const ImageIndex index, ParseIndex(bytes));
  image.index = std::move(bytes);
  for (const Descriptor& entry : index.manifests) {
    if (IsIndex(entry.media_type)) return Fail(Misdescribed("it has an index in its index"));
    TRY_ASSIGN(std::string content, reading.Read(entry.digest));
    TRY_ASSIGN(ImagePart part, ReadPart(entry, std::move(content), reading));
    image.parts.push_back(std::move(part));
  }
  return image;
}

Result<DescribedImage> JoinImages(std::vector<DescribedImage> images,
                                  const std::vector<Platform>& platforms,
                                  const registry::IndexAnnotations& annotations) {
  std::vector<Descriptor> entries;
  std::map<std::string, ImagePart> parts;
  for (std::size_t i = 0; i < images.size(); ++i) {
    for (ImagePart& part : images[i].parts) {
      part.source = i;
      if (!part.attests && !part.descriptor.platform) {
        TRY_ASSIGN(const Json platform, PlatformOfConfig(part.config));
        SetPlatform(part.descriptor, platform);
      }
      entries.push_back(part.descriptor);
      parts.emplace(part.descriptor.digest, std::move(part));
    }
  }
  TRY_ASSIGN(registry::AssembledIndex index,
             registry::AssembleIndex(entries, platforms, annotations));
  DescribedImage joined;
  joined.top = MakeDescriptor(index.media_type, index.digest, index.bytes.size());
  joined.index = std::move(index.bytes);
  for (Descriptor& entry : index.manifests) {
    auto part = parts.extract(entry.digest);
    if (part.empty()) continue;
    part.mapped().descriptor = std::move(entry);
    joined.parts.push_back(std::move(part.mapped()));
  }
  return joined;
}

Result<DescribedImage> OnlyPart(const DescribedImage& image, const std::optional<Platform>& own) {
  std::vector<const ImagePart*> running;
  for (const ImagePart& part : image.parts)
    if (!part.attests) running.push_back(&part);
  const ImagePart* chosen = running.size() == 1 ? running.front() : nullptr;
  for (const ImagePart* part : running)
    if (chosen == nullptr && own && part->platform == own) chosen = part;
  if (chosen == nullptr) return Fail(ErrorCode::kNotFound, "it has no image for the Engine");
  DescribedImage only;
  only.top = chosen->descriptor;
  only.parts.push_back(*chosen);
  return only;
}

std::string TopOf(const std::vector<std::string>& manifests, const ReadDescription& read) {
  std::set<std::string> rest(manifests.begin(), manifests.end());
  for (const std::string& digest : manifests) {
    Result<std::string> bytes = read(digest);
    if (!bytes) continue;
    Result<ImageIndex> index = ParseIndex(*bytes);
    if (!index) continue;
    for (const Descriptor& entry : index->manifests)
      rest.erase(entry.digest);
  }
  return rest.size() == 1 ? *rest.begin() : "";
}

}  // namespace depot::deliver
