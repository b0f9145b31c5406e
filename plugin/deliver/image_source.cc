#include "plugin/deliver/image_source.h"

#include "driver/oci/digest.h"
#include "driver/solve/content.h"

namespace depot::deliver {
namespace {

Result<std::string> FindSent(const ImageSource& source, const std::string& digest) {
  std::optional<std::string> found = source.described.Find(digest);
  if (found) return *std::move(found);
  return Fail(ErrorCode::kNotFound, "it was not sent");
}

/// With a push beside it, the answer may be about what was pushed.
std::string TopDigest(const ImageSource& source) {
  auto sent = [&](const std::string& digest) { return FindSent(source, digest); };
  std::string digest = TopOf(source.described.manifests(), sent);
  if (!digest.empty()) return digest;
  auto said = source.response.find("containerimage.digest");
  return said == source.response.end() ? "" : said->second;
}

}  // namespace

Result<DescribedImage> DescribeSource(const ImageSource& source, const Cancel& cancel) {
  auto read = [&](const std::string& digest) -> Result<std::string> {
    Result<std::string> sent = FindSent(source, digest);
    if (sent) return sent;
    return solve::ReadBlob(source.builder, digest, kMaxManifestSize, cancel);
  };
  const std::string digest = TopDigest(source);
  if (!IsDigest(digest)) return Fail(ErrorCode::kInvalid, "the builder did not name its image");
  TRY_ASSIGN(const std::string bytes, read(digest));
  std::string type = OwnMediaType(bytes);
  if (type.empty()) type = ParseIndex(bytes) ? kOciIndexType : kOciManifestType;
  return DescribeImage(MakeDescriptor(type, digest, bytes.size()), read);
}

}  // namespace depot::deliver
