#include "plugin/deliver/sbom_files.h"

#include <algorithm>

#include "driver/base/text.h"
#include "plugin/plan/exports.h"

namespace depot::deliver {
namespace {

constexpr std::string_view kPrefix = plan::kSbomFilePrefix;
constexpr std::string_view kSuffix = ".spdx.json";
constexpr std::size_t kMaxReadTogether = 4 * kMaxSbomSize;

/// "linux_arm_v7/NAME" and "NAME" in their parts.
struct Place {
  std::string folder;
  std::string name;
};

Place PlaceOf(const std::string& path) {
  std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

/// An SBOM on its way.
class Incoming final : public files::TreeWriter::File {
 public:
  explicit Incoming(std::function<Result<>(std::string)> done) : done_(std::move(done)) {}

  Result<> Write(std::string_view data) override {
    if (data.size() > kMaxSbomSize - content_.size()) {
      return Fail(ErrorCode::kInvalid, Cat("the SBOM is larger than ", kMaxSbomSize, " bytes"));
    }
    content_ += data;
    return {};
  }

  Result<> Commit() override { return done_(std::move(content_)); }

 private:
  std::function<Result<>(std::string)> done_;
  std::string content_;
};

}  // namespace

/// Takes the SBOMs of one stream, and makes nothing else.
class SbomFiles::Writer final : public files::TreeWriter {
 public:
  explicit Writer(SbomFiles& files) : files_(files) {}

  bool Wants(const files::FileEntry& entry) const override {
    Place place = PlaceOf(entry.path);
    return place.folder.find('/') == std::string::npos && place.name.starts_with(kPrefix) &&
           place.name.ends_with(kSuffix);
  }

  Result<> Make(const files::FileEntry&) override { return {}; }

  Result<std::unique_ptr<File>> Create(const files::FileEntry& entry) override {
    return std::make_unique<Incoming>([this, path = entry.path](std::string content) {
      return files_.Add(path, std::move(content));
    });
  }

  Result<> Finish() override { return {}; }

 private:
  SbomFiles& files_;
};

session::TreeTarget SbomFiles::Target() {
  return [this] { return std::make_unique<Writer>(*this); };
}

Result<> SbomFiles::Add(const std::string& path, std::string content) {
  std::lock_guard lock(mutex_);
  together_ += content.size();
  if (together_ > kMaxReadTogether) {
    return Fail(ErrorCode::kInvalid, "the builder sends more SBOMs than are taken");
  }
  files_[path] = std::move(content);
  return {};
}

Result<std::vector<SbomDocument>> SbomFiles::Documents(const Platform& otherwise) const {
  std::lock_guard lock(mutex_);
  std::vector<SbomDocument> documents;
  for (const auto& [path, content] : files_) {
    Place place = PlaceOf(path);
    std::string folder = place.folder;
    std::replace(folder.begin(), folder.end(), '_', '/');
    Platform platform = otherwise;
    if (!folder.empty()) {
      TRY_ASSIGN(platform, ParsePlatform(folder));
    }
    TRY_ASSIGN(SbomDocument document, ReadSbomStatement(platform, content));
    std::size_t length = place.name.size() - kPrefix.size() - kSuffix.size();
    document.scan = place.name.substr(kPrefix.size(), length);
    documents.push_back(std::move(document));
  }
  if (documents.empty()) return Fail(ErrorCode::kNotFound, "the builder sent no SBOM");
  return documents;
}

}  // namespace depot::deliver
