#include "plugin/command/image_details.h"

#include <map>
#include <optional>
#include <vector>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/index_text.h"
#include "driver/oci/manifest.h"

namespace depot::command {
namespace {

constexpr int kMaxIndexDepth = 4;
constexpr std::size_t kMaxImages = 256;
constexpr std::size_t kMaxConfigBytes = 4 << 20;
constexpr std::size_t kMaxStatementBytes = 64 << 20;
constexpr std::size_t kMaxDetailBytes = 256 << 20;
constexpr std::string_view kSpdx = "https://spdx.dev/Document";
constexpr std::string_view kSlsa = "https://slsa.dev/provenance/";

/// Walks through an index and reads what its images are.
class DetailsReader {
 public:
  DetailsReader(registry::Repository& repository, const DetailsWanted& wanted, const Cancel& cancel)
      : repository_(repository), wanted_(wanted), cancel_(cancel) {}

  Result<> Read(const registry::StoredManifest& stored, const Descriptor* listed, int depth) {
    if (++manifests_ > kMaxImages || depth > kMaxIndexDepth) {
      return Fail(ErrorCode::kInvalid,
                  Cat("the index of ", repository_.name(), " lists too much, or too deep"));
    }
    if (!IsIndex(stored.media_type)) return ReadManifest(stored, listed);
    Result<ImageIndex> index = ParseIndex(stored.bytes);
    if (!index) return Fail(Malformed(std::move(index).error(), stored));
    for (const Descriptor& entry : index->manifests) {
      if (!IsIndex(entry.media_type) && !IsManifest(entry.media_type)) continue;
      TRY_ASSIGN(registry::StoredManifest next, repository_.GetManifest(entry.digest, cancel_));
      TRY(Read(next, &entry, depth + 1));
    }
    return {};
  }

  /// Adds what was read: as it is when there is one image, else by platform.
  Result<> Tell(Json& data) {
    Json images = Json::Object();
    Json sboms = Json::Object();
    Json provenances = Json::Object();
    for (const auto& [platform, image] : images_) {
      TRY_ASSIGN(std::string config, Blob(image.manifest.config.digest, kMaxConfigBytes));
      TRY_ASSIGN(Json json, Json::Parse(config));
      images.Set(platform, KeptConfig(json));
      Json sbom;
      Json provenance;
      TRY(ReadStatements(image.digest, sbom, provenance));
      if (sbom.is_object()) sboms.Set(platform, std::move(sbom));
      if (provenance.is_object()) provenances.Set(platform, std::move(provenance));
    }
    Put(data, "image", images);
    if (wanted_.sbom) Put(data, "SBOM", sboms);
    if (wanted_.provenance) Put(data, "Provenance", provenances);
    return {};
  }

 private:
  struct Image {
    std::string digest;
    Manifest manifest;
  };

  Error Malformed(Error why, const registry::StoredManifest& stored) const {
    return std::move(why).While(Cat(repository_.name(), '@', stored.digest));
  }

  Result<std::string> Blob(const std::string& digest, std::size_t limit) {
    TRY_ASSIGN(std::string bytes, repository_.GetBlob(digest, limit, cancel_));
    bytes_ += bytes.size();
    if (bytes_ <= kMaxDetailBytes) return bytes;
    return Fail(ErrorCode::kInvalid, Cat(repository_.name(), " has more to tell than 256 MiB"));
  }

  Result<> ReadManifest(const registry::StoredManifest& stored, const Descriptor* listed) {
    Result<Manifest> manifest = ParseManifest(stored.bytes);
    if (!manifest) return Fail(Malformed(std::move(manifest).error(), stored));
    const std::string about = listed == nullptr ? "" : AttestedDigest(*listed);
    if (!about.empty()) {
      attestations_[about].push_back(*std::move(manifest));
      return {};
    }
    std::optional<Platform> platform;
    if (listed != nullptr) platform = listed->platform;
    if (!platform) {
      TRY_ASSIGN(Json said, registry::ReadImagePlatform(repository_, stored.bytes, cancel_));
      platform = ReadPlatform(said);
    }
    const std::string key = platform ? FormatPlatform(*platform) : std::string();
    images_[key] = {stored.digest, *std::move(manifest)};
    return {};
  }

  Result<> ReadStatements(const std::string& image, Json& sbom, Json& provenance) {
    if (!wanted_.sbom && !wanted_.provenance) return {};
    for (const Manifest& manifest : attestations_[image]) {
      for (const Descriptor& layer : manifest.layers) {
        auto type = layer.annotations.find("in-toto.io/predicate-type");
        if (layer.media_type != "application/vnd.in-toto+json" || type == layer.annotations.end())
          continue;
        const bool is_sbom = wanted_.sbom && type->second == kSpdx;
        if (!is_sbom && !(wanted_.provenance && type->second.starts_with(kSlsa))) continue;
        TRY_ASSIGN(std::string bytes, Blob(layer.digest, kMaxStatementBytes));
        TRY_ASSIGN(Json statement, Json::Parse(bytes));
        AddStatement(statement["predicate"], is_sbom ? sbom : provenance, is_sbom);
      }
    }
    return {};
  }

  static void AddStatement(Json predicate, Json& into, bool is_sbom) {
    if (!into.is_object()) {
      into.Set(is_sbom ? "SPDX" : "SLSA", std::move(predicate));
    } else if (is_sbom) {
      Json more = into["AdditionalSPDXs"];
      more.Append(std::move(predicate));
      into.Set("AdditionalSPDXs", std::move(more));
    }
  }

  void Put(Json& data, std::string_view key, const Json& by_platform) const {
    if (images_.size() > 1) {
      data.Set(key, by_platform);
      return;
    }
    const std::vector<std::string> keys = by_platform.Keys();
    data.Set(key, keys.empty() ? Json::Object() : by_platform[keys.front()]);
  }

  registry::Repository& repository_;
  const DetailsWanted& wanted_;
  const Cancel& cancel_;
  std::size_t manifests_ = 0;
  std::size_t bytes_ = 0;
  std::map<std::string, Image> images_;                        ///< by platform
  std::map<std::string, std::vector<Manifest>> attestations_;  ///< by the digest of their image
};

Result<Json> ManifestOf(const registry::StoredManifest& stored) {
  Json manifest = Json::Object();
  manifest.Set("mediaType", Json::String(stored.media_type));
  manifest.Set("digest", Json::String(stored.digest));
  manifest.Set("size", Json::Number(static_cast<std::int64_t>(stored.bytes.size())));
  if (!IsIndex(stored.media_type)) return manifest;
  TRY_ASSIGN(Json index, Json::Parse(stored.bytes));
  const Json entries = index["manifests"];
  Json list = Json::Array();
  for (std::size_t i = 0; i < entries.size(); ++i)
    list.Append(KeptDescriptor(entries[i]));
  manifest.Set("schemaVersion", index["schemaVersion"]);
  manifest.Set("manifests", std::move(list));
  if (index["annotations"].size() > 0) manifest.Set("annotations", index["annotations"]);
  return manifest;
}

}  // namespace

Result<Json> ReadImageDetails(registry::Repository& repository,
                              const std::string& name,
                              const registry::StoredManifest& stored,
                              const DetailsWanted& wanted,
                              const Cancel& cancel) {
  DetailsReader reader(repository, wanted, cancel);
  TRY(reader.Read(stored, nullptr, 0));
  Json data = Json::Object();
  data.Set("name", Json::String(name));
  TRY_ASSIGN(Json manifest, ManifestOf(stored));
  data.Set("manifest", std::move(manifest));
  TRY(reader.Tell(data));
  return data;
}

}  // namespace depot::command
