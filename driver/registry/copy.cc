#include "driver/registry/copy.h"

#include <cerrno>
#include <cstdint>
#include <memory>

#include <unistd.h>

#include "driver/base/encode.h"
#include "driver/base/fd.h"
#include "driver/base/text.h"
#include "driver/disk/whole_file.h"
#include "driver/oci/digest.h"
#include "driver/oci/manifest.h"

namespace depot::registry {
namespace {

constexpr int kMaxNesting = 4;
constexpr int kMaxCopied = 2000;

/// A blob on its way: fetched into a file without a name, and checked, when it is first asked for.
class BlobInTransit {
 public:
  BlobInTransit(const CopyPlaces& places, const Descriptor& blob, const Cancel& cancel)
      : places_(places), blob_(blob), cancel_(cancel) {}

  BlobSource Source() {
    return {[this] { return Rewind(); },
            [this](char* into, std::size_t capacity) { return Read(into, capacity); }};
  }

 private:
  Result<> Rewind() {
    if (!fetched_) TRY(Fetch());
    offset_ = 0;
    return {};
  }

  Result<> Fetch() {
    BlobSink sink{[this] { return Begin(); },
                  [this](std::string_view piece) { return Keep(piece); }};
    TRY(places_.from.ReadBlob(blob_.digest, sink, cancel_));
    if (size_ == blob_.size && Cat("sha256:", Hex(hash_->Finish())) == blob_.digest) {
      fetched_ = true;
      return {};
    }
    return Fail(Error(ErrorCode::kInvalid, Cat("what ", places_.from.name(), " has as the blob ",
                                               blob_.digest, " is not its content"))
                    .WithHint("a proxy in between may have changed it; try again"));
  }

  Result<> Begin() {
    TRY_ASSIGN(file_, disk::OpenNamelessFile(places_.scratch));
    hash_ = std::make_unique<Sha256>();
    size_ = 0;
    return {};
  }

  Result<> Keep(std::string_view piece) {
    size_ += static_cast<std::int64_t>(piece.size());
    if (size_ > blob_.size) {
      return Fail(ErrorCode::kInvalid, Cat("the blob ", blob_.digest, " of ", places_.from.name(),
                                           " has more than the ", blob_.size, " bytes promised"));
    }
    hash_->Update(piece);
    const int error = disk::WriteAll(file_.get(), piece);
    if (error != 0) return Fail(SystemError(Cat("write to ", places_.scratch), error));
    return {};
  }

  Result<std::size_t> Read(char* into, std::size_t capacity) {
    const ssize_t count = ::pread(file_.get(), into, capacity, offset_);
    if (count < 0) return Fail(SystemError(Cat("read from ", places_.scratch), errno));
    offset_ += count;
    return static_cast<std::size_t>(count);
  }

  const CopyPlaces& places_;
  const Descriptor& blob_;
  const Cancel& cancel_;
  Fd file_;
  std::unique_ptr<Sha256> hash_;
  std::int64_t size_ = 0;
  off_t offset_ = 0;
  bool fetched_ = false;
};

/// Layers that only their makers may hand out (OCI image spec, layer.md; Docker's foreign layers).
bool StaysElsewhere(const Descriptor& blob) {
  return blob.media_type.find(".nondistributable.") != std::string::npos ||
         blob.media_type.find(".foreign.") != std::string::npos;
}

class ManifestCopier {
 public:
  ManifestCopier(const CopyPlaces& places, const Cancel& cancel)
      : places_(places), cancel_(cancel) {}

  Result<> Copy(const Descriptor& manifest, int depth) {
    if (depth > kMaxNesting || ++count_ > kMaxCopied) {
      return Fail(ErrorCode::kInvalid,
                  Cat("the index lists ", depth > kMaxNesting ? "too deep" : "too much", ": ",
                      manifest.digest, " is not copied"));
    }
    TRY_ASSIGN(const bool there, places_.to.HasManifest(manifest.digest, cancel_));
    if (there) return {};
    TRY_ASSIGN(StoredManifest stored, places_.from.GetManifest(manifest.digest, cancel_));
    if (IsIndex(stored.media_type)) {
      TRY(CopyEntries(stored, depth));
    } else {
      TRY(CopyBlobs(stored));
    }
    TRY(places_.to.PutManifest(stored.digest, stored.media_type, stored.bytes, cancel_));
    return {};
  }

 private:
  Error Malformed(Error why, const StoredManifest& stored) const {
    return std::move(why).While(Cat(places_.from.name(), '@', stored.digest));
  }

  Result<> CopyEntries(const StoredManifest& stored, int depth) {
    Result<ImageIndex> index = ParseIndex(stored.bytes);
    if (!index) return Fail(Malformed(std::move(index).error(), stored));
    for (const Descriptor& entry : index->manifests)
      TRY(Copy(entry, depth + 1));
    return {};
  }

  Result<> CopyBlobs(const StoredManifest& stored) {
    Result<Manifest> manifest = ParseManifest(stored.bytes);
    if (!manifest) return Fail(Malformed(std::move(manifest).error(), stored));
    TRY(CopyBlob(manifest->config));
    for (const Descriptor& layer : manifest->layers)
      TRY(CopyBlob(layer));
    return {};
  }

  Result<> CopyBlob(const Descriptor& blob) {
    if (StaysElsewhere(blob)) return {};
    TRY_ASSIGN(const bool there, places_.to.HasBlob(blob.digest, cancel_));
    if (there) return {};
    if (places_.say && places_.mount.empty()) {
      places_.say(Cat("copying ", blob.digest, " (", blob.size, " bytes) to ", places_.to.name()));
    }
    BlobInTransit transit(places_, blob, cancel_);
    return places_.to.WriteBlob(blob.digest, places_.mount, transit.Source(), cancel_);
  }

  const CopyPlaces& places_;
  const Cancel& cancel_;
  int count_ = 0;
};

}  // namespace

Result<> CopyManifest(const CopyPlaces& places, const Descriptor& manifest, const Cancel& cancel) {
  return ManifestCopier(places, cancel).Copy(manifest, 0);
}

}  // namespace depot::registry
