#pragma once

#include <memory>
#include <string>
#include <vector>

#include "driver/base/fd.h"
#include "driver/oci/manifest.h"
#include "driver/session/content_store.h"

namespace depot::session {

/// The names under which a folder's index keeps what was put there (BuildKit client/ociindex).
struct LayoutName {
  std::string tag;      ///< org.opencontainers.image.ref.name
  std::string image{};  ///< io.containerd.image.name, a full reference; "" = only the tag
};

/// An OCI image layout on disk (OCI image spec, image-layout.md): a local cache, an oci-layout://
/// build context, an output with tar=false. A blob gets its name when it is whole; the index is
/// changed in one step, under the lock that BuildKit's own clients use. Symbolic links in the
/// folder may not lead out of it. Any thread.
class LayoutStore final : public ContentStore {
 public:
  /// For reading only; makes nothing. kNotFound when there is no such folder, kInvalid when it is
  /// none.
  static Result<std::shared_ptr<LayoutStore>> OpenToRead(const std::string& path);

  /// Makes the folder where it is missing, mode 0755; what is in it stays. kDenied when a link
  /// among the sources leads out of them (disk/lookup.h).
  static Result<std::shared_ptr<LayoutStore>> OpenToWrite(const std::string& path);

  /// As typed; for people.
  const std::string& path() const { return path_; }

  Result<std::int64_t> Size(const std::string& digest) override;
  Result<std::unique_ptr<Blob>> Open(const std::string& digest) override;
  Result<std::unique_ptr<BlobWriter>> Begin(const BlobInfo& expected) override;
  Result<std::vector<BlobInfo>> List() override;

  /// What index.json lists. kNotFound when there is no index; kInvalid when it is malformed.
  Result<ImageIndex> ReadIndex() const;

  /// Lists `descriptor` in the index under each of `names`, in place of what had the name; other
  /// entries and members stay as they are. Waits for another process that is at it. kInvalid when
  /// the index that is there is malformed: it stays as it is.
  Result<> Put(const Descriptor& descriptor,
               const std::vector<LayoutName>& names,
               const Cancel& cancel);

 private:
  LayoutStore(std::string path, std::string root, Fd directory, bool writable)
      : path_(std::move(path)),
        root_(std::move(root)),
        directory_(std::move(directory)),
        writable_(writable) {}

  static Result<std::shared_ptr<LayoutStore>> OpenFolder(const std::string& path, bool writable);

  Error Because(int error_number) const;
  Result<> WriteFile(const std::string& name, const std::string& content) const;
  Result<> Replace(const Descriptor& descriptor, const std::vector<LayoutName>& names) const;

  const std::string path_;
  const std::string root_;  // path_, absolute and real
  const Fd directory_;      // root_
  const bool writable_;
};

/// The entry with this name in an index: an image name counts before a tag. nullptr when there is
/// none.
const Descriptor* FindNamed(const ImageIndex& index, const std::string& name);

}  // namespace depot::session
