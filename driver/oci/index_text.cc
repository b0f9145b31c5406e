#include "driver/oci/index_text.h"

#include "driver/base/go_json.h"

namespace depot {
namespace {

const MemberOrder& OrderOfDocuments() {
  static const MemberOrder order = {
      {"name",        "manifest",     "image",     "schemaVersion", "mediaType",    "digest",
       "size",        "urls",         "manifests", "subject",       "annotations",  "data",
       "platform",    "artifactType", "created",   "created_by",    "author",       "comment",
       "empty_layer", "architecture", "os",        "os.version",    "os.features",  "variant",
       "config",      "rootfs",       "history",   "User",          "ExposedPorts", "Env",
       "Entrypoint",  "Cmd",          "Volumes",   "WorkingDir",    "Labels",       "StopSignal",
       "ArgsEscaped", "type",         "diff_ids"},
      {"annotations", "Labels", "ExposedPorts", "Volumes", "SLSA", "SPDX", "AdditionalSPDXs"}};
  return order;
}

bool IsEmpty(const Json& value) {
  const bool empty_list = (value.is_array() || value.is_object()) && value.size() == 0;
  return empty_list || (value.is_string() && value.AsString().empty()) ||
         value.type() == Json::Type::kNull ||
         (value.type() == Json::Type::kBool && !value.AsBool());
}

void Keep(const Json& from, std::string_view key, Json& into) {
  Json value = from[key];
  if (!IsEmpty(value)) into.Set(key, std::move(value));
}

Json KeptPlatform(const Json& platform) {
  Json kept = Json::Object();
  kept.Set("architecture", Json::String(platform["architecture"].AsString()));
  kept.Set("os", Json::String(platform["os"].AsString()));
  for (std::string_view key : {"os.version", "os.features", "variant"})
    Keep(platform, key, kept);
  return kept;
}

}  // namespace

std::string FormatOciJson(const Json& document) {
  return FormatGoJson(document, 2, OrderOfDocuments());
}

Json KeptDescriptor(const Json& descriptor) {
  Json kept = Json::Object();
  for (std::string_view key : {"mediaType", "digest"})
    kept.Set(key, Json::String(descriptor[key].AsString()));
  kept.Set("size", Json::Number(descriptor["size"].AsInt()));
  for (std::string_view key : {"urls", "annotations", "data", "artifactType"})
    Keep(descriptor, key, kept);
  if (descriptor["platform"].is_object()) {
    kept.Set("platform", KeptPlatform(descriptor["platform"]));
  }
  return kept;
}

Json KeptConfig(const Json& config) {
  Json kept = Json::Object();
  for (std::string_view key : {"architecture", "os"})
    kept.Set(key, Json::String(config[key].AsString()));
  for (std::string_view key : {"created", "author", "os.version", "os.features", "variant"})
    Keep(config, key, kept);
  Json run = Json::Object();
  for (std::string_view key : {"User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes",
                               "WorkingDir", "Labels", "StopSignal", "ArgsEscaped"}) {
    Keep(config["config"], key, run);
  }
  kept.Set("config", std::move(run));
  Json root = Json::Object();
  root.Set("type", Json::String(config["rootfs"]["type"].AsString()));
  root.Set("diff_ids", config["rootfs"]["diff_ids"]);
  kept.Set("rootfs", std::move(root));
  const Json history = config["history"];
  Json steps = Json::Array();
  for (std::size_t i = 0; i < history.size(); ++i) {
    Json step = Json::Object();
    for (std::string_view key : {"created", "created_by", "author", "comment", "empty_layer"})
      Keep(history[i], key, step);
    steps.Append(std::move(step));
  }
  if (steps.size() > 0) kept.Set("history", std::move(steps));
  return kept;
}

std::string FormatIndex(std::string_view media_type,
                        const std::vector<Descriptor>& entries,
                        const std::map<std::string, std::string>& annotations) {
  Json list = Json::Array();
  for (const Descriptor& entry : entries)
    list.Append(KeptDescriptor(entry.json));
  Json index = Json::Object();
  index.Set("schemaVersion", Json::Number(2));
  index.Set("mediaType", Json::String(media_type));
  index.Set("manifests", std::move(list));
  if (!annotations.empty()) {
    Json values = Json::Object();
    for (const auto& [key, value] : annotations)
      values.Set(key, Json::String(value));
    index.Set("annotations", std::move(values));
  }
  return FormatOciJson(index);
}

}  // namespace depot
