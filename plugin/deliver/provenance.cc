#include "plugin/deliver/provenance.h"

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::deliver {
namespace {

constexpr std::string_view kPredicates = "https://slsa.dev/provenance/";
constexpr std::string_view kVersion1 = "https://slsa.dev/provenance/v1";
constexpr std::size_t kMaxPredicate = 64 << 20;
constexpr std::size_t kMaxPlatforms = 64;

/// Sets `to` in `into` when `from` has a member `key`.
void Carry(const Json& from, std::string_view key, Json& into, std::string_view to) {
  if (from.Has(key)) into.Set(to, from[key]);
}

Json Materials(const Json& dependencies) {
  Json materials = Json::Array();
  for (std::size_t i = 0; i < dependencies.size(); ++i) {
    Json material = Json::Object();
    Carry(dependencies[i], "uri", material, "uri");
    Carry(dependencies[i], "digest", material, "digest");
    materials.Append(std::move(material));
  }
  return materials;
}

Json Invocation(const Json& definition) {
  Json external = definition["externalParameters"];
  Json internal = definition["internalParameters"];
  Json source = Json::Object();
  Carry(external["configSource"], "uri", source, "uri");
  Carry(external["configSource"], "digest", source, "digest");
  Carry(external["configSource"], "path", source, "entryPoint");
  Json environment = Json::Object();
  environment.Set("platform", internal["builderPlatform"]);
  for (const std::string& key : internal.Keys()) {
    if (key != "builderPlatform" && key != "buildConfig") environment.Set(key, internal[key]);
  }
  Json invocation = Json::Object();
  invocation.Set("configSource", std::move(source));
  invocation.Set("parameters", external["request"]);
  invocation.Set("environment", std::move(environment));
  return invocation;
}

Json MetadataOf(const Json& recorded) {
  Json known = recorded["buildkit_completeness"];
  Json completeness = Json::Object();
  completeness.Set("parameters", Json::Bool(known["request"].AsBool()));
  completeness.Set("environment", Json::Bool(true));
  completeness.Set("materials", Json::Bool(known["resolvedDependencies"].AsBool()));
  Json metadata = Json::Object();
  Carry(recorded, "invocationId", metadata, "buildInvocationID");
  Carry(recorded, "startedOn", metadata, "buildStartedOn");
  Carry(recorded, "finishedOn", metadata, "buildFinishedOn");
  metadata.Set("completeness", std::move(completeness));
  metadata.Set("reproducible", Json::Bool(recorded["buildkit_reproducible"].AsBool()));
  Carry(recorded, "buildkit_metadata", metadata, "https://mobyproject.org/buildkit@v1#metadata");
  Carry(recorded, "buildkit_hermetic", metadata, "https://mobyproject.org/buildkit@v1#hermetic");
  return metadata;
}

/// SLSA 1 in the words of 0.2 (both as BuildKit has them: solver/llbsolver/provenance/types).
Json ToVersion02(const Json& predicate) {
  Json definition = predicate["buildDefinition"];
  Json details = predicate["runDetails"];
  Json builder = Json::Object();
  builder.Set("id", details["builder"]["id"]);
  Json old = Json::Object();
  old.Set("builder", std::move(builder));
  old.Set("buildType", Json::String("https://mobyproject.org/buildkit@v1"));
  if (definition["resolvedDependencies"].size() > 0) {
    old.Set("materials", Materials(definition["resolvedDependencies"]));
  }
  old.Set("invocation", Invocation(definition));
  Carry(definition["internalParameters"], "buildConfig", old, "buildConfig");
  if (details["metadata"].is_object()) old.Set("metadata", MetadataOf(details["metadata"]));
  return old;
}

}  // namespace

ProvenanceMode ParseProvenanceMode(std::string_view value) {
  if (value == "max") return ProvenanceMode::kMax;
  bool off = value == "disabled" || !ParseBool(value).value_or(true);
  return off ? ProvenanceMode::kDisabled : ProvenanceMode::kMin;
}

Result<std::string> ProvenanceValue(std::string_view predicate,
                                    std::string_view predicate_type,
                                    ProvenanceMode mode) {
  auto json = Json::Parse(predicate);
  if (json && !json->is_object()) json = Fail(ErrorCode::kInvalid, "it is no object");
  if (!json) return Fail(std::move(json).error().While("the provenance is malformed"));
  Json old = predicate_type == kVersion1 ? ToVersion02(*json) : *json;
  if (mode == ProvenanceMode::kMax) return Base64(old.Dump());
  Json small = Json::Object();
  for (const std::string& key : old.Keys()) {
    if (key != "buildConfig" && key != "metadata") small.Set(key, old[key]);
  }
  return Base64(small.Dump());
}

Result<ExporterResponse> ReadProvenance(builder::Builder& builder,
                                        const std::string& ref,
                                        ProvenanceMode mode,
                                        const Cancel& cancel) {
  ExporterResponse values;
  TRY_ASSIGN(auto recorded, solve::ReadBuildRecord(builder, ref, cancel));
  for (const solve::RecordedAttestation& one : recorded) {
    if (!one.predicate_type.starts_with(kPredicates)) continue;
    std::string key = "buildx.build.provenance";
    if (!one.platform.empty()) key += Cat('/', Printable(one.platform));
    if (values.contains(key)) continue;
    if (values.size() == kMaxPlatforms) break;
    TRY_ASSIGN(std::string blob, solve::ReadBlob(builder, one.digest, kMaxPredicate, cancel));
    TRY_ASSIGN(values[key], ProvenanceValue(blob, one.predicate_type, mode));
  }
  return values;
}

}  // namespace depot::deliver
