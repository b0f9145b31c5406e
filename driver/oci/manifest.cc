#include "driver/oci/manifest.h"

#include <utility>

#include "driver/base/text.h"

namespace depot {
namespace {

Result<Json> ParseObject(std::string_view bytes) {
  if (bytes.size() > kMaxManifestSize) {
    return Fail(ErrorCode::kInvalid, Cat("it has more than ", kMaxManifestSize, " bytes"));
  }
  TRY_ASSIGN(Json json, Json::Parse(bytes));
  if (!json.is_object()) return Fail(ErrorCode::kInvalid, "it is not a JSON object");
  return json;
}

/// Whoever reads the other half sees another image under the same digest.
Result<> RefuseMembers(const Json& json, const std::vector<std::string_view>& foreign) {
  for (std::string_view key : foreign) {
    if (json.Has(key)) {
      return Fail(ErrorCode::kInvalid,
                  Cat("it has \"", key, "\" and can be read as an image and as an index"));
    }
  }
  return {};
}

Result<std::vector<Descriptor>> ReadList(const Json& list) {
  std::vector<Descriptor> descriptors;
  for (std::size_t i = 0; i < list.size(); ++i) {
    TRY_ASSIGN(Descriptor descriptor, ReadDescriptor(list[i]));
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
}

}  // namespace

Result<ImageIndex> ParseIndex(std::string_view bytes) {
  TRY_ASSIGN(Json json, ParseObject(bytes));
  TRY(RefuseMembers(json, {"config", "layers"}));
  Json list = json["manifests"];
  if (!list.is_array()) return Fail(ErrorCode::kInvalid, "it has no list of manifests");
  ImageIndex index;
  TRY_ASSIGN(index.manifests, ReadList(list));
  index.annotations = ReadAnnotations(json);
  return index;
}

Result<Manifest> ParseManifest(std::string_view bytes) {
  TRY_ASSIGN(Json json, ParseObject(bytes));
  TRY(RefuseMembers(json, {"manifests"}));
  Manifest manifest;
  TRY_ASSIGN(manifest.config, ReadDescriptor(json["config"]));
  TRY_ASSIGN(manifest.layers, ReadList(json["layers"]));
  return manifest;
}

std::string OwnMediaType(std::string_view bytes) {
  Result<Json> json = ParseObject(bytes);
  return json ? (*json)["mediaType"].AsString() : "";
}

Result<Json> PlatformOfConfig(std::string_view config) {
  TRY_ASSIGN(Json json, ParseObject(config));
  Json platform = Json::Object();
  for (std::string_view key : {"architecture", "os", "os.features", "os.version", "variant"}) {
    if (json.Has(key)) platform.Set(key, json[key]);
  }
  return platform;
}

}  // namespace depot
