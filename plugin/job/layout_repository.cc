#include "plugin/job/layout_repository.h"

#include <utility>
#include <vector>

#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/oci/manifest.h"

namespace depot::job {
namespace {

constexpr std::size_t kLayoutPiece = 1 << 20;

class LayoutRepository final : public registry::Repository {
 public:
  explicit LayoutRepository(std::shared_ptr<session::LayoutStore> store)
      : store_(std::move(store)), name_(Cat("oci-layout://", store_->path())) {}

  const std::string& name() const override { return name_; }

  Result<registry::StoredManifest> GetManifest(const std::string& tag_or_digest,
                                               const Cancel& cancel) override {
    std::string digest = tag_or_digest;
    if (!IsDigest(digest)) {
      TRY_ASSIGN(digest, DigestOfTag(digest));
    }
    TRY_ASSIGN(std::string bytes, GetBlob(digest, kMaxManifestSize, cancel));
    std::string type = OwnMediaType(bytes);
    if (type.empty()) type = ParseIndex(bytes) ? kOciIndexType : kOciManifestType;
    if (!IsIndex(type) && !IsManifest(type)) {
      return Fail(ErrorCode::kUnsupported,
                  Cat(name_, '@', digest, " is neither an image nor an index"));
    }
    return registry::StoredManifest{std::move(type), std::move(digest), std::move(bytes)};
  }

  Result<bool> HasManifest(const std::string& digest, const Cancel& cancel) override {
    return HasBlob(digest, cancel);
  }

  Result<> CheckPull(const std::string& tag_or_digest, const Cancel& cancel) override {
    TRY(GetManifest(tag_or_digest, cancel));
    return {};
  }

  Result<std::string> PutManifest(const std::string& tag_or_digest,
                                  const std::string& media_type,
                                  const std::string& bytes,
                                  const Cancel& cancel) override {
    std::string digest = DigestOf(bytes);
    TRY_ASSIGN(const bool there, HasBlob(digest, cancel));
    if (!there) TRY(Store(digest, bytes, cancel));
    if (IsDigest(tag_or_digest)) return digest;
    Descriptor descriptor;
    descriptor.media_type = media_type;
    descriptor.digest = digest;
    descriptor.size = static_cast<std::int64_t>(bytes.size());
    descriptor.json.Set("mediaType", Json::String(media_type));
    descriptor.json.Set("digest", Json::String(digest));
    descriptor.json.Set("size", Json::Number(descriptor.size));
    TRY(store_->Put(descriptor, {{tag_or_digest}}, cancel));
    return digest;
  }

  /// A layout is the user's own, and its index is locked while it is written.
  Result<bool> ReplaceManifest(const std::string& tag,
                               const registry::StoredManifest*,
                               const registry::StoredManifest& next,
                               const Cancel& cancel) override {
    TRY(PutManifest(tag, next.media_type, next.bytes, cancel));
    return true;
  }

  Result<std::string> GetBlob(const std::string& digest,
                              std::size_t max_size,
                              const Cancel& cancel) override {
    std::string bytes;
    registry::BlobSink sink{[&]() -> Result<> { return {}; },
                            [&](std::string_view piece) -> Result<> {
                              bytes.append(piece);
                              if (bytes.size() <= max_size) return {};
                              return Fail(ErrorCode::kInvalid, Cat(name_, '@', digest,
                                                                   " has more "
                                                                   "than ",
                                                                   max_size, " bytes"));
                            }};
    TRY(ReadBlob(digest, sink, cancel));
    if (DigestOf(bytes) == digest) return bytes;
    return Fail(ErrorCode::kInvalid, Cat(name_, ": the blob ", digest, " has another content"));
  }

  Result<bool> HasBlob(const std::string& digest, const Cancel&) override {
    Result<std::int64_t> size = store_->Size(digest);
    if (size) return true;
    if (size.error().code() == ErrorCode::kNotFound) return false;
    return Fail(std::move(size).error());
  }

  Result<> ReadBlob(const std::string& digest,
                    const registry::BlobSink& sink,
                    const Cancel& cancel) override {
    TRY_ASSIGN(std::unique_ptr<session::Blob> blob, store_->Open(digest));
    TRY(sink.restart());
    std::vector<char> piece(kLayoutPiece);
    for (std::int64_t offset = 0;;) {
      TRY_ASSIGN(const std::size_t got, blob->ReadAt(offset, piece.data(), piece.size(), cancel));
      if (got == 0) return {};
      TRY(sink.write({piece.data(), got}));
      offset += static_cast<std::int64_t>(got);
    }
  }

  Result<> WriteBlob(const std::string& digest,
                     const std::string&,
                     const registry::BlobSource& source,
                     const Cancel& cancel) override {
    TRY(source.restart());
    TRY_ASSIGN(std::unique_ptr<session::BlobWriter> writer, store_->Begin({digest, 0}));
    std::vector<char> piece(kLayoutPiece);
    for (;;) {
      TRY_ASSIGN(const std::size_t got, source.read(piece.data(), piece.size()));
      if (got == 0) break;
      TRY(writer->Write({piece.data(), got}, cancel));
    }
    return writer->Commit(digest, cancel);
  }

  Result<registry::PushCheck> CheckPush(const Cancel&) override { return registry::PushCheck(); }

  void AbandonUpload(const std::string&, const Cancel&) override {}

 private:
  Result<std::string> DigestOfTag(const std::string& tag) const {
    TRY_ASSIGN(ImageIndex index, store_->ReadIndex());
    const Descriptor* found = session::FindNamed(index, tag);
    if (found != nullptr) return found->digest;
    return Fail(ErrorCode::kNotFound, Cat(name_, " has no image with the tag ", tag));
  }

  Result<> Store(const std::string& digest, const std::string& bytes, const Cancel& cancel) {
    TRY_ASSIGN(std::unique_ptr<session::BlobWriter> writer,
               store_->Begin({digest, static_cast<std::int64_t>(bytes.size())}));
    TRY(writer->Write(bytes, cancel));
    return writer->Commit(digest, cancel);
  }

  const std::shared_ptr<session::LayoutStore> store_;
  const std::string name_;
};

}  // namespace

std::unique_ptr<registry::Repository> MakeLayoutRepository(
    std::shared_ptr<session::LayoutStore> store) {
  return std::make_unique<LayoutRepository>(std::move(store));
}

}  // namespace depot::job
