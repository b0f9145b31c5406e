#include "plugin/deliver/sbom.h"

#include <algorithm>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/text.h"
#include "driver/disk/whole_file.h"
#include "driver/files/tree_writer.h"
#include "driver/oci/reference.h"
#include "driver/solve/content.h"

namespace depot::deliver {
namespace {

/// A name of the image in the registry that it is pushed to; "" when it is not. The builder answers
/// for the last of several.
std::string PushedName(const solve::BuildRequest& request) {
  std::string pushed_to;
  for (const solve::Exporter& exporter : request.exporters) {
    auto name = exporter.attrs.find("name");
    auto push = exporter.attrs.find("push");
    bool pushed = exporter.type == "image" && push != exporter.attrs.end() &&
                  ParseBool(push->second).value_or(false);
    if (pushed && name != exporter.attrs.end()) {
      pushed_to = Trim(Split(name->second, ',').front());
    }
  }
  return pushed_to;
}

/// Content that was pushed; the type says how a registry keeps it.
Result<std::string> ReadPushed(registry::Repository& repository,
                               const Descriptor& wanted,
                               std::size_t max_size,
                               const Cancel& cancel) {
  if (!IsIndex(wanted.media_type) && !IsManifest(wanted.media_type)) {
    return repository.GetBlob(wanted.digest, max_size, cancel);
  }
  TRY_ASSIGN(registry::StoredManifest stored, repository.GetManifest(wanted.digest, cancel));
  return std::move(stored.bytes);
}

Result<Json> DecodeJson(const std::string& key, const std::string& value) {
  auto json = Json::Parse(FromBase64(value).value_or(""));
  if (!json) return Fail(std::move(json).error().While(Cat("the builder's answer ", key)));
  return json;
}

Result<std::vector<SbomDocument>> ReadListed(const std::string& value,
                                             builder::Builder& builder,
                                             const Cancel& cancel) {
  TRY_ASSIGN(Json list, DecodeJson("depot/sboms", value));
  std::vector<SbomDocument> documents;
  for (std::size_t i = 0; i < list.size(); ++i) {
    TRY_ASSIGN(Platform platform, ParsePlatform(list[i]["platform"].AsString()));
    TRY_ASSIGN(std::string statement,
               solve::ReadBlob(builder, list[i]["digest"].AsString(), kMaxSbomSize, cancel));
    TRY_ASSIGN(SbomDocument document, ReadSbomStatement(platform, statement));
    documents.push_back(std::move(document));
  }
  return documents;
}

Result<> WriteBelow(const std::string& path, const std::string& content) {
  TRY_ASSIGN(auto file, disk::OpenWholeFile(path, true));
  TRY(file->Write(content));
  return file->Commit();
}

/// One line of what is missing, or "".
std::string Missing(const std::vector<Platform>& platforms,
                    const std::vector<SbomDocument>& documents) {
  std::vector<std::string> missing;
  for (const Platform& platform : platforms) {
    bool there = std::any_of(documents.begin(), documents.end(),
                             [&](const SbomDocument& one) { return one.platform == platform; });
    if (!there) missing.push_back(FormatPlatform(platform));
  }
  return Join(missing, ", ");
}

}  // namespace

Result<> Sboms::CheckDirectory() const {
  if (!wanted()) return {};
  Result<> writable = files::CheckTreeRoot(directory_);
  if (!writable) return Fail(std::move(writable).error().While("--sbom-dir cannot be written"));
  return {};
}

void Sboms::Prepare(const plan::BuildPlan& plan, std::map<int, session::ExportTarget>& targets) {
  if (!wanted()) return;
  Prepared& prepared = prepared_.emplace_back();
  prepared.pushed_to = PushedName(plan.request);
  for (std::size_t i = 0; i < plan.destinations.size(); ++i) {
    if (plan.destinations[i].kind != plan::DestinationKind::kSbomFiles) continue;
    prepared.files = std::make_unique<SbomFiles>();
    targets[static_cast<int>(i)] = prepared.files->Target();
  }
}

Result<std::vector<SbomDocument>> Sboms::Read(const SbomSource& source,
                                              const Prepared& prepared,
                                              const Platform& otherwise,
                                              const Cancel& cancel) const {
  auto listed = source.response.find("depot/sboms");
  if (listed != source.response.end()) return ReadListed(listed->second, source.builder, cancel);
  if (prepared.files) return prepared.files->Documents(otherwise);

  auto image = source.response.find("containerimage.descriptor");
  if (image == source.response.end()) {
    return Fail(ErrorCode::kNotFound, "the builder does not say which image it made");
  }
  TRY_ASSIGN(Json json, DecodeJson(image->first, image->second));
  TRY_ASSIGN(Descriptor descriptor, ReadDescriptor(json));
  std::unique_ptr<registry::Repository> repository;
  if (!prepared.pushed_to.empty()) {
    TRY_ASSIGN(Reference reference, ParseReference(prepared.pushed_to));
    repository = source.registries.Open(reference, registry::Access::kPull);
  }
  // The builder is nearer, but may have thrown away by now what it has pushed.
  auto read = [&](const Descriptor& wanted, std::size_t max_size) -> Result<std::string> {
    auto content = solve::ReadBlob(source.builder, wanted.digest, max_size, cancel);
    if (content || !repository || cancel.cancelled()) return content;
    return ReadPushed(*repository, wanted, max_size, cancel);
  };
  return ReadImageSboms(descriptor, otherwise, read);
}

Result<> Sboms::Collect(const SbomSource& source, const Cancel& cancel) {
  if (!wanted()) return {};
  const Prepared& prepared = prepared_[collected_++];
  std::vector<Platform> platforms = source.platforms;
  if (platforms.empty()) {
    const std::vector<Platform>& own = source.builder.features().platforms;
    platforms.push_back(own.empty() ? HostPlatform() : own.front());
  }
  auto documents = Read(source, prepared, platforms.front(), cancel);
  std::string missing = documents ? Missing(platforms, *documents) : "";
  if (!missing.empty()) documents = Fail(ErrorCode::kNotFound, Cat("there is none for ", missing));
  if (!documents) {
    Error error = std::move(documents).error().While(
        Cat("--sbom-dir: no SBOM from ", source.builder.endpoint()));
    if (error.code() != ErrorCode::kNotFound) return Fail(std::move(error));
    return Fail(std::move(error).WithHint(
        "the step \"generating sbom\" shows what the generator did; --sbom=generator=IMAGE names "
        "another one"));
  }
  platforms_.insert(platforms_.end(), platforms.begin(), platforms.end());
  for (SbomDocument& document : *documents)
    documents_.push_back(std::move(document));
  return {};
}

Result<std::vector<std::string>> Sboms::Write(const std::string& target) const {
  std::vector<std::string> paths;
  for (const auto& [name, content] : SbomFileContents(documents_, platforms_.size() > 1, target)) {
    std::string path = Cat(directory_, '/', name);
    Result<> written = WriteBelow(path, content);
    if (!written) return Fail(std::move(written).error().While("--sbom-dir cannot be written"));
    paths.push_back(std::move(path));
  }
  return paths;
}

}  // namespace depot::deliver
