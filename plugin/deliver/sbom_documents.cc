#include "plugin/deliver/sbom_documents.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "driver/base/json.h"
#include "driver/base/text.h"
#include "driver/oci/manifest.h"

namespace depot::deliver {
namespace {

constexpr std::string_view kSpdx = "https://spdx.dev/Document";
constexpr std::string_view kImageScan = "sbom";
constexpr std::size_t kMaxDocuments = 64;
constexpr std::size_t kMaxTogether = 4 * kMaxSbomSize;
constexpr std::size_t kMaxNameLength = 80;

Platform PlatformOf(const ImageIndex& index, const std::string& digest, const Platform& otherwise) {
  for (const Descriptor& entry : index.manifests) {
    if (entry.digest == digest && entry.platform) return *entry.platform;
  }
  return otherwise;
}

/// Adds the documents that one attestation manifest lists.
Result<> ReadAttestations(const Descriptor& manifest,
                          const Platform& platform,
                          const ContentReader& read,
                          std::vector<SbomDocument>& documents) {
  TRY_ASSIGN(std::string bytes, read(manifest, kMaxManifestSize));
  auto parsed = ParseManifest(bytes);
  if (!parsed) return Fail(std::move(parsed).error().While(Cat("attestations ", manifest.digest)));
  for (const Descriptor& layer : parsed->layers) {
    auto type = layer.annotations.find("in-toto.io/predicate-type");
    if (type == layer.annotations.end() || type->second != kSpdx) continue;
    std::size_t together = 0;
    for (const SbomDocument& document : documents)
      together += document.spdx.size();
    if (documents.size() == kMaxDocuments || together > kMaxTogether) {
      return Fail(ErrorCode::kInvalid, "the image has more SBOMs than are taken");
    }
    TRY_ASSIGN(std::string statement, read(layer, kMaxSbomSize));
    TRY_ASSIGN(SbomDocument document, ReadSbomStatement(platform, statement));
    documents.push_back(std::move(document));
  }
  return {};
}

/// A part of a file name of text of unknown origin.
std::string NamePart(std::string_view text) {
  std::string part(text.substr(0, kMaxNameLength));
  for (char& c : part) {
    bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.';
    if (!plain) c = '_';
  }
  return part;
}

std::string FurtherName(const std::string& scan) {
  std::string_view name = scan;
  if (name.starts_with("sbom-")) name.remove_prefix(5);
  return name.empty() ? "more" : NamePart(name);
}

}  // namespace

Result<SbomDocument> ReadSbomStatement(const Platform& platform, std::string_view statement) {
  auto json = Json::Parse(statement);
  if (!json) return Fail(std::move(json).error().While("the SBOM is malformed"));
  Json spdx = (*json)["predicate"];
  if ((*json)["predicateType"].AsString() != kSpdx || !spdx.is_object()) {
    return Fail(ErrorCode::kInvalid, "the SBOM is no in-toto statement with an SPDX document");
  }
  return SbomDocument{platform, spdx["name"].AsString(), spdx.Dump(2) + "\n"};
}

Result<std::vector<SbomDocument>> ReadImageSboms(const Descriptor& image,
                                                 const Platform& otherwise,
                                                 const ContentReader& read) {
  std::vector<SbomDocument> documents;
  if (IsIndex(image.media_type)) {
    TRY_ASSIGN(std::string bytes, read(image, kMaxManifestSize));
    auto index = ParseIndex(bytes);
    if (!index) return Fail(std::move(index).error().While(Cat("index ", image.digest)));
    for (const Descriptor& entry : index->manifests) {
      std::string subject = AttestedDigest(entry);
      if (subject.empty()) continue;
      TRY(ReadAttestations(entry, PlatformOf(*index, subject, otherwise), read, documents));
    }
  }
  if (documents.empty()) {
    return Fail(ErrorCode::kNotFound, Cat("the image ", image.digest, " has no SBOM"));
  }
  return documents;
}

std::vector<std::pair<std::string, std::string>> SbomFileContents(
    const std::vector<SbomDocument>& documents, bool several, const std::string& target) {
  std::vector<std::pair<std::string, std::string>> files;
  std::set<std::string> taken;
  for (const SbomDocument& document : documents) {
    std::string platform = FormatPlatform(document.platform);
    std::string stem = several ? NamePart(platform) : std::string(kImageScan);
    if (!target.empty()) stem = Cat(NamePart(target), several ? Cat('_', stem) : "");
    auto same = [&](const SbomDocument& other) { return other.platform == document.platform; };
    auto main = std::find_if(documents.begin(), documents.end(), [&](const SbomDocument& other) {
      return same(other) && other.scan == kImageScan;
    });
    if (main == documents.end()) main = std::find_if(documents.begin(), documents.end(), same);
    if (&*main != &document) stem += Cat('-', FurtherName(document.scan));
    std::string unique = stem;
    for (int number = 2; !taken.insert(unique).second; ++number)
      unique = Cat(stem, '-', number);
    files.emplace_back(Cat(unique, ".spdx.json"), document.spdx);
  }
  return files;
}

}  // namespace depot::deliver
