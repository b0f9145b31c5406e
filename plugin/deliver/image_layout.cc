#include "plugin/deliver/image_layout.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include <unistd.h>

#include "driver/base/encode.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/oci/digest.h"
#include "driver/oci/manifest.h"
#include "driver/session/layout_store.h"
#include "plugin/deliver/tar_archive.h"

namespace depot::deliver {
namespace {

constexpr std::string_view kLayoutBlobs = "blobs/sha256/";

Error MalformedArchive(std::string_view what) {
  return Error(ErrorCode::kInvalid, Cat("the builder's image archive is malformed: ", what));
}

/// Copies an archive's blobs to a layout.
class ArchiveCopy {
 public:
  ArchiveCopy(int archive, session::LayoutStore& store, const Cancel& cancel)
      : archive_(archive), store_(store), cancel_(cancel) {}

  Result<> Take(const TarMember& member) {
    if (member.type != '0') return {};
    std::string_view path = member.path;
    while (path.starts_with("./"))
      path.remove_prefix(2);
    if (path == "index.json") {
      TRY_ASSIGN(index_, ReadContent(archive_, member, kMaxManifestSize));
      return {};
    }
    return path.starts_with(kLayoutBlobs) ? TakeBlob(member, std::string(path)) : Result<>();
  }

  /// Its index.json.
  const std::optional<std::string>& index() const { return index_; }

 private:
  Result<> TakeBlob(const TarMember& member, const std::string& path) {
    const std::string digest = Cat("sha256:", path.substr(kLayoutBlobs.size()));
    if (!IsDigest(digest)) {
      return Fail(MalformedArchive(Cat("a blob is called ", Printable(path))));
    }
    TRY_ASSIGN(auto blob, store_.Begin({}));
    Sha256 hash;
    std::vector<char> buffer(1 << 20);
    for (std::uint64_t done = 0; done < member.size;) {
      TRY(cancel_.Check());
      const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), member.size - done);
      const ssize_t got =
          ::pread(archive_, buffer.data(), wanted, static_cast<off_t>(member.offset + done));
      if (got <= 0) return Fail(SystemError("read the kept image", got < 0 ? errno : EIO));
      const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
      hash.Update(bytes);
      TRY(blob->Write(bytes, cancel_));
      done += bytes.size();
    }
    if (Cat("sha256:", Hex(hash.Finish())) != digest) {
      return Fail(MalformedArchive(Cat(digest, " has another content")));
    }
    return blob->Commit(digest, cancel_);
  }

  const int archive_;
  session::LayoutStore& store_;
  const Cancel& cancel_;
  std::optional<std::string> index_;
};

session::LayoutName NameIn(const Descriptor& image) {
  auto annotation = [&](const char* key) {
    auto found = image.annotations.find(key);
    return found == image.annotations.end() ? std::string() : found->second;
  };
  session::LayoutName name{annotation("org.opencontainers.image.ref.name"),
                           annotation("io.containerd.image.name")};
  if (name.tag.empty()) name.tag = "latest";
  return name;
}

}  // namespace

Result<> WriteImageLayout(int archive, const std::string& directory, const Cancel& cancel) {
  TRY_ASSIGN(auto store, session::LayoutStore::OpenToWrite(directory));
  ArchiveCopy copy(archive, *store, cancel);
  TRY(ReadTar(
      archive, [&](const TarMember& member) { return copy.Take(member); }, cancel));
  if (!copy.index()) return Fail(MalformedArchive("it has no index.json"));
  auto index = ParseIndex(*copy.index());
  if (!index) return Fail(MalformedArchive(index.error().message()));
  for (const Descriptor& image : index->manifests)
    TRY(store->Put(image, {NameIn(image)}, cancel));
  return {};
}

}  // namespace depot::deliver
