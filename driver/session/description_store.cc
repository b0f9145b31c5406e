#include "driver/session/description_store.h"

#include <algorithm>
#include <string_view>

#include "driver/oci/manifest.h"

namespace depot::session {
namespace {

constexpr std::size_t kMaxDescriptions = 16 << 20;
constexpr std::string_view kManifestWrite = "manifest-";
constexpr std::string_view kIndexWrite = "index-";
constexpr std::string_view kLayerWrite = "layer-";

bool IsManifestWrite(const std::string& write) {
  return write.starts_with(kManifestWrite) || write.starts_with(kIndexWrite);
}

bool Describes(const BlobInfo& announced) {
  return !announced.write.starts_with(kLayerWrite) && announced.size > 0 &&
         announced.size <= static_cast<std::int64_t>(kMaxManifestSize);
}

}  // namespace

/// Holds its share of the store's memory until it goes.
class DescriptionStore::Writer final : public BlobWriter {
 public:
  Writer(DescriptionStore& store, BlobInfo expected)
      : store_(store), expected_(std::move(expected)) {}
  ~Writer() override {
    if (!kept_) store_.Release(room());
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  std::size_t room() const { return static_cast<std::size_t>(expected_.size); }

  Result<> Write(std::string_view data, const Cancel&) override {
    content_.append(data);
    return {};
  }

  Result<> Commit(const std::string& digest, const Cancel&) override {
    kept_ = true;
    store_.Keep(digest, std::move(content_), IsManifestWrite(expected_.write));
    return {};
  }

 private:
  DescriptionStore& store_;
  const BlobInfo expected_;
  std::string content_;
  bool kept_ = false;
};

std::optional<std::string> DescriptionStore::Find(const std::string& digest) const {
  std::lock_guard lock(mutex_);
  auto found = kept_.find(digest);
  if (found == kept_.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> DescriptionStore::manifests() const {
  std::lock_guard lock(mutex_);
  return manifests_;
}

Result<std::int64_t> DescriptionStore::Size(const std::string& digest) {
  std::optional<std::string> content = Find(digest);
  if (content) return static_cast<std::int64_t>(content->size());
  return Fail(ErrorCode::kNotFound, "no such content");
}

bool DescriptionStore::Declines(const BlobInfo& announced) {
  std::lock_guard lock(mutex_);
  return !Describes(announced) || kept_.contains(announced.digest) ||
         static_cast<std::size_t>(announced.size) > kMaxDescriptions - reserved_;
}

Result<std::unique_ptr<Blob>> DescriptionStore::Open(const std::string&) {
  return Fail(ErrorCode::kDenied, "this store is not for reading");
}

Result<std::unique_ptr<BlobWriter>> DescriptionStore::Begin(const BlobInfo& expected) {
  const bool room = Describes(expected) && Reserve(static_cast<std::size_t>(expected.size));
  if (!room) return Fail(ErrorCode::kDenied, "only descriptions of images are taken");
  return std::make_unique<Writer>(*this, expected);
}

Result<std::vector<BlobInfo>> DescriptionStore::List() {
  return std::vector<BlobInfo>();
}

bool DescriptionStore::Reserve(std::size_t bytes) {
  std::lock_guard lock(mutex_);
  if (bytes > kMaxDescriptions - reserved_) return false;
  reserved_ += bytes;
  return true;
}

void DescriptionStore::Release(std::size_t bytes) {
  std::lock_guard lock(mutex_);
  reserved_ -= bytes;
}

void DescriptionStore::Keep(const std::string& digest, std::string content, bool manifest) {
  std::lock_guard lock(mutex_);
  if (!kept_.emplace(digest, std::move(content)).second) return;
  if (manifest) manifests_.push_back(digest);
}

}  // namespace depot::session
