#include "plugin/deliver/metadata.h"

#include <optional>

#include "driver/base/encode.h"
#include "driver/base/json.h"

namespace depot::deliver {
namespace {

std::string Find(const ExporterResponse& response, const std::string& key) {
  auto found = response.find(key);
  return found == response.end() ? "" : found->second;
}

bool WorthEmbedding(const Json& value) {
  if (value.is_object()) return value.size() > 0;
  if (!value.is_array() || value.size() == 0) return false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (!value[i].is_object()) return false;
  }
  return true;
}

Json ToJson(const std::string& key, const std::string& value) {
  std::optional<std::string> decoded;
  if (key != "result.json") decoded = FromBase64(value);
  Result<Json> json = Json::Parse(decoded.value_or(value));
  if (json && WorthEmbedding(*json)) return *json;
  return Json::String(value);
}

}  // namespace

std::string ImageId(const ExporterResponse& response, ImageIdKind kind) {
  std::string config = Find(response, "containerimage.config.digest");
  std::string manifest = Find(response, "containerimage.digest");
  if (kind == ImageIdKind::kConfig && !config.empty()) return config;
  return manifest.empty() ? config : manifest;
}

std::string MetadataJson(const ExporterResponse& response, const std::string& ref) {
  Json metadata = Json::Object();
  for (const auto& [key, value] : response) {
    // It tells where the SBOMs are on the builder, which nobody can reach by then.
    if (key != "depot/sboms") metadata.Set(key, ToJson(key, value));
  }
  if (!ref.empty()) metadata.Set("buildx.build.ref", Json::String(ref));
  return metadata.Dump(2);
}

std::string DepotBuildValue(const std::string& build,
                            const std::string& project,
                            const std::vector<std::string>& targets) {
  Json value = Json::Object();
  value.Set("buildID", Json::String(build));
  value.Set("projectID", Json::String(project));
  Json names;
  for (const std::string& target : targets)
    names.Append(Json::String(target));
  if (names.is_array()) value.Set("targets", std::move(names));
  return Base64(value.Dump());
}

}  // namespace depot::deliver
