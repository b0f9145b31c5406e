#include "driver/oci/descriptor.h"

#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"

namespace depot {
namespace {

constexpr std::string_view kReferenceType = "vnd.docker.reference.type";
constexpr std::string_view kReferenceDigest = "vnd.docker.reference.digest";

}  // namespace

bool IsIndex(std::string_view media_type) {
  return media_type == kOciIndexType || media_type == kDockerListType;
}

bool IsManifest(std::string_view media_type) {
  return media_type == kOciManifestType || media_type == kDockerManifestType;
}

std::optional<Platform> ReadPlatform(const Json& json) {
  Platform platform{json["os"].AsString(), json["architecture"].AsString(),
                    json["variant"].AsString()};
  if (platform.os.empty() || platform.architecture.empty()) return std::nullopt;
  std::string text = FormatPlatform(platform);
  // A slash inside a name would move the names behind it.
  if (Split(text, '/').size() != (platform.variant.empty() ? 2U : 3U)) return platform;
  return ParsePlatform(text).value_or(platform);
}

std::map<std::string, std::string> ReadAnnotations(const Json& json) {
  std::map<std::string, std::string> read;
  const Json annotations = json["annotations"];
  for (const std::string& key : annotations.Keys())
    read[key] = annotations[key].AsString();
  return read;
}

Result<Descriptor> ReadDescriptor(const Json& json) {
  if (!json.is_object()) return Fail(ErrorCode::kInvalid, "a descriptor is not a JSON object");
  Descriptor descriptor;
  descriptor.media_type = json["mediaType"].AsString();
  descriptor.digest = json["digest"].AsString();
  descriptor.size = json["size"].AsInt(-1);
  if (!IsDigest(descriptor.digest)) {
    return Fail(ErrorCode::kInvalid,
                Cat("a descriptor's digest is not sha256: and 64 lowercase hex digits: \"",
                    Printable(descriptor.digest.substr(0, 100)), '"'));
  }
  if (descriptor.size < 0) {
    return Fail(ErrorCode::kInvalid, Cat("the descriptor of ", descriptor.digest, " has no size"));
  }
  descriptor.platform = ReadPlatform(json["platform"]);
  descriptor.annotations = ReadAnnotations(json);
  descriptor.json = json;
  return descriptor;
}

Descriptor MakeDescriptor(std::string_view media_type,
                          const std::string& digest,
                          std::size_t size) {
  Descriptor descriptor;
  descriptor.media_type = media_type;
  descriptor.digest = digest;
  descriptor.size = static_cast<std::int64_t>(size);
  descriptor.json = Json::Object();
  descriptor.json.Set("mediaType", Json::String(media_type));
  descriptor.json.Set("digest", Json::String(digest));
  descriptor.json.Set("size", Json::Number(descriptor.size));
  return descriptor;
}

void SetPlatform(Descriptor& descriptor, const Json& platform) {
  descriptor.platform = ReadPlatform(platform);
  descriptor.json.Set("platform", platform);
}

void SetAnnotation(Descriptor& descriptor, const std::string& key, const std::string& value) {
  descriptor.annotations[key] = value;
  Json annotations = descriptor.json["annotations"];
  annotations.Set(key, Json::String(value));
  descriptor.json.Set("annotations", std::move(annotations));
}

std::string AttestedDigest(const Descriptor& descriptor) {
  auto value = [&](std::string_view key) {
    auto found = descriptor.annotations.find(std::string(key));
    return found == descriptor.annotations.end() ? "" : found->second;
  };
  return value(kReferenceType) == "attestation-manifest" ? value(kReferenceDigest) : "";
}

}  // namespace depot
