#include "plugin/deliver/described_image.h"

#include <algorithm>
#include <set>

#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot::deliver {
namespace {

Error Misdescribed(std::string_view what) {
  return Error(ErrorCode::kInvalid, Cat("the builder's image is malformed: ", what));
}

Result<std::string> ReadChecked(const ReadDescription& read, const std::string& digest) {
  TRY_ASSIGN(std::string bytes, read(digest));
  if (DigestOf(bytes) != digest) return Fail(Misdescribed(Cat(digest, " has another content")));
  return bytes;
}

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

Result<ImagePart> ReadPart(const Descriptor& descriptor,
                           std::string bytes,
                           const ReadDescription& read) {
  ImagePart part;
  part.descriptor = descriptor;
  TRY_ASSIGN(part.manifest, ParseManifest(bytes));
  part.bytes = std::move(bytes);
  TRY_ASSIGN(part.config, ReadChecked(read, part.manifest.config.digest));
  part.attests = !AttestedDigest(descriptor).empty();
  if (!part.attests) TRY(ReadConfig(part));
  return part;
}

}  // namespace

Result<DescribedImage> DescribeImage(const Descriptor& top, const ReadDescription& read) {
  DescribedImage image;
  image.top = top;
  TRY_ASSIGN(std::string bytes, ReadChecked(read, top.digest));
  if (!IsIndex(top.media_type)) {
    TRY_ASSIGN(ImagePart part, ReadPart(top, std::move(bytes), read));
    image.parts.push_back(std::move(part));
    return image;
  }
  TRY_ASSIGN(const ImageIndex index, ParseIndex(bytes));
  image.index = std::move(bytes);
  for (const Descriptor& entry : index.manifests) {
    if (IsIndex(entry.media_type)) return Fail(Misdescribed("it has an index in its index"));
    TRY_ASSIGN(std::string content, ReadChecked(read, entry.digest));
    TRY_ASSIGN(ImagePart part, ReadPart(entry, std::move(content), read));
    image.parts.push_back(std::move(part));
  }
  return image;
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
