#include "driver/registry/combine.h"

#include <algorithm>

#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/oci/index_text.h"
#include "driver/oci/manifest.h"

namespace depot::registry {
namespace {

bool SameMachine(const Platform& left, const Platform& right) {
  return left.os == right.os && left.architecture == right.architecture &&
         left.variant == right.variant;
}

/// Merges entries in the order in which they come.
class Entries {
 public:
  void Add(Descriptor entry, std::size_t source) {
    entry.json = KeptDescriptor(entry.json);
    auto known = by_digest_.find(entry.digest);
    if (known == by_digest_.end()) {
      by_digest_[entry.digest] = parts_.size();
      parts_.push_back({std::move(entry), source});
      return;
    }
    CombinePart& part = parts_[known->second];
    part.source = source;
    if (entry.json.Has("platform")) SetPlatform(part.descriptor, entry.json["platform"]);
    for (const auto& [key, value] : entry.annotations)
      SetAnnotation(part.descriptor, key, value);
  }

  std::vector<CombinePart> Take() { return std::move(parts_); }

 private:
  std::vector<CombinePart> parts_;
  std::map<std::string, std::size_t> by_digest_;
};

/// An image that came without its platform gets that of its config.
Result<Descriptor> WithPlatform(const CombineSource& source, const Cancel& cancel) {
  Descriptor descriptor = source.descriptor;
  if (descriptor.platform) return descriptor;
  TRY_ASSIGN(Json said, ReadImagePlatform(*source.repository, source.bytes, cancel));
  const Platform platform = ReadPlatform(said).value_or(
      Platform{said["os"].AsString(), said["architecture"].AsString(), ""});
  Json json = Json::Object();
  json.Set("architecture", Json::String(platform.architecture));
  json.Set("os", Json::String(platform.os));
  if (!platform.variant.empty()) json.Set("variant", Json::String(platform.variant));
  SetPlatform(descriptor, json);
  return descriptor;
}

Result<std::vector<CombinePart>> Collect(const CombineRequest& request, const Cancel& cancel) {
  Entries entries;
  for (std::size_t i = 0; i < request.sources.size(); ++i) {
    const CombineSource& source = request.sources[i];
    if (!IsIndex(source.descriptor.media_type)) {
      TRY_ASSIGN(Descriptor descriptor, WithPlatform(source, cancel));
      entries.Add(std::move(descriptor), i);
      continue;
    }
    Result<ImageIndex> index = ParseIndex(source.bytes);
    if (!index) {
      return Fail(std::move(index).error().While(Cat("the index ", source.descriptor.digest)));
    }
    for (Descriptor& entry : index->manifests)
      entries.Add(std::move(entry), i);
  }
  return entries.Take();
}

void AnnotateParts(std::vector<CombinePart>& parts, const IndexAnnotations& annotations) {
  for (CombinePart& part : parts) {
    for (const DescriptorAnnotation& annotation : annotations.descriptors) {
      const std::optional<Platform>& own = part.descriptor.platform;
      if (annotation.platform && (!own || !SameMachine(*annotation.platform, *own))) continue;
      SetAnnotation(part.descriptor, annotation.key, annotation.value);
    }
  }
}

std::vector<Descriptor> DescriptorsOf(const std::vector<CombinePart>& parts) {
  std::vector<Descriptor> descriptors;
  descriptors.reserve(parts.size());
  for (const CombinePart& part : parts)
    descriptors.push_back(part.descriptor);
  return descriptors;
}

CombinedImage MakeIndex(std::vector<CombinePart> parts, const IndexAnnotations& annotations) {
  CombinedImage image;
  const bool docker = std::all_of(parts.begin(), parts.end(), [](const CombinePart& part) {
    return part.descriptor.media_type.starts_with("application/vnd.docker.");
  });
  image.media_type = docker ? kDockerListType : kOciIndexType;
  image.annotated = !docker;
  if (!docker) AnnotateParts(parts, annotations);
  image.bytes = FormatIndex(image.media_type, DescriptorsOf(parts),
                            docker ? std::map<std::string, std::string>() : annotations.index);
  image.parts = std::move(parts);
  return image;
}

bool IsWanted(const Descriptor& entry, const std::vector<Platform>& wanted) {
  return !entry.platform || std::any_of(wanted.begin(), wanted.end(), [&](const Platform& one) {
    return SameMachine(one, *entry.platform);
  });
}

/// Leaves out what is for other platforms.
Result<> Filter(CombinedImage& image, const std::vector<Platform>& wanted) {
  std::vector<CombinePart> kept;
  for (const CombinePart& part : image.parts) {
    const std::string about = AttestedDigest(part.descriptor);
    const bool keep =
        std::any_of(image.parts.begin(), image.parts.end(), [&](const CombinePart& subject) {
          const bool meant = about.empty() ? &subject == &part : subject.descriptor.digest == about;
          return meant && IsWanted(subject.descriptor, wanted);
        });
    if (keep) kept.push_back(part);
  }
  if (kept.size() == image.parts.size()) return {};
  if (kept.empty()) {
    return Fail(ErrorCode::kFailed,
                "no image of the sources is for one of the platforms asked for");
  }
  TRY_ASSIGN(Json index, Json::Parse(image.bytes));
  Json list = Json::Array();
  for (const CombinePart& part : kept)
    list.Append(KeptDescriptor(part.descriptor.json));
  index.Set("manifests", std::move(list));
  image.bytes = FormatOciJson(index);
  image.parts = std::move(kept);
  return {};
}

Result<CombinedImage> CopyOf(const CombineRequest& request, std::vector<CombinePart> parts) {
  const CombineSource& source = request.sources.front();
  CombinedImage image;
  image.media_type = source.descriptor.media_type;
  image.bytes = source.bytes;
  image.parts = std::move(parts);
  if (IsIndex(image.media_type) || request.platforms.empty()) return image;
  if (IsWanted(image.parts.front().descriptor, request.platforms)) return image;
  return Fail(ErrorCode::kFailed, Cat("the image ", source.descriptor.digest, " is for ",
                                      FormatPlatform(*image.parts.front().descriptor.platform),
                                      ", not for one of the platforms asked for"));
}

}  // namespace

Result<CombinedImage> CombineImages(const CombineRequest& request, const Cancel& cancel) {
  TRY_ASSIGN(std::vector<CombinePart> parts, Collect(request, cancel));
  const IndexAnnotations& annotations = request.annotations;
  const bool plain =
      request.sources.size() == 1 && annotations.index.empty() && annotations.descriptors.empty();
  const bool whole =
      plain && (IsIndex(request.sources.front().descriptor.media_type) || !request.prefer_index);
  CombinedImage image;
  if (whole) {
    TRY_ASSIGN(image, CopyOf(request, std::move(parts)));
  } else {
    image = MakeIndex(std::move(parts), annotations);
  }
  if (!request.platforms.empty() && IsIndex(image.media_type)) {
    TRY(Filter(image, request.platforms));
  }
  if (image.bytes.size() > kMaxManifestSize) {
    return Fail(ErrorCode::kFailed,
                Cat("the index has ", image.bytes.size(), " bytes, more than registries take"));
  }
  image.digest = DigestOf(image.bytes);
  return image;
}

}  // namespace depot::registry
