#include "driver/session/layout_store.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/directory_listing.h"
#include "driver/disk/lookup.h"
#include "driver/disk/pending_file.h"
#include "driver/disk/whole_file.h"
#include "driver/files/beneath.h"
#include "driver/oci/digest.h"
#include "driver/oci/index_text.h"

namespace depot::session {
namespace {

constexpr std::string_view kTag = "org.opencontainers.image.ref.name";
constexpr std::string_view kImageName = "io.containerd.image.name";
constexpr char kBlobs[] = "blobs/sha256";
constexpr char kIndex[] = "index.json";
constexpr char kLock[] = "index.json.lock";
constexpr std::size_t kAlgorithm = sizeof "sha256:" - 1;
constexpr std::chrono::seconds kLockTime(30);

Result<disk::Found> FindBlob(const std::string& root, const std::string& digest) {
  TRY_ASSIGN(disk::Found found, disk::Lookup({root, Cat(kBlobs, "/", digest.substr(kAlgorithm))}));
  if (S_ISREG(found.status().st_mode)) return found;
  return Fail(ErrorCode::kInvalid, Cat(Printable(found.path()), " is not a regular file"));
}

class FileBlob final : public Blob {
 public:
  FileBlob(Fd file, std::string shown, std::int64_t size)
      : file_(std::move(file)), shown_(std::move(shown)), size_(size) {}

  std::int64_t size() const override { return size_; }
  const std::string& shown() const override { return shown_; }

  Result<std::size_t> ReadAt(std::int64_t offset,
                             char* into,
                             std::size_t size,
                             const Cancel&) override {
    ssize_t got = 0;
    do {
      got = ::pread(file_.get(), into, size, offset);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return Fail(SystemError(Cat("read ", shown_), errno));
    return static_cast<std::size_t>(got);
  }

 private:
  Fd file_;
  std::string shown_;
  std::int64_t size_;
};

class FileBlobWriter final : public BlobWriter {
 public:
  FileBlobWriter(Fd blobs, std::string shown)
      : blobs_(std::move(blobs)), shown_(std::move(shown)) {}

  Result<> Create() { return Check(file_.Create(blobs_.get(), 0666)); }

  Result<> Write(std::string_view data, const Cancel&) override {
    return Check(disk::WriteAll(file_.fd(), data));
  }

  Result<> Commit(const std::string& digest, const Cancel&) override {
    return Check(file_.Commit(digest.substr(kAlgorithm)));
  }

 private:
  Result<> Check(int error_number) const {
    if (error_number == 0) return {};
    return Fail(SystemError(Cat("write to ", shown_), error_number));
  }

  Fd blobs_;
  std::string shown_;
  disk::PendingFile file_;
};

/// kDenied is said of what a store does not give away; a file that may not be read is a fault.
Error AsFault(Error error) {
  if (error.code() != ErrorCode::kDenied) return error;
  return Error(ErrorCode::kFailed, error.message()).WithHint(error.hint());
}

/// The lock of the index, as BuildKit's clients take it: flock(2) on a file that goes afterwards.
class IndexLock {
 public:
  explicit IndexLock(int directory) : directory_(directory) {}
  ~IndexLock() {
    if (file_.valid()) ::unlinkat(directory_, kLock, 0);
  }
  IndexLock(const IndexLock&) = delete;
  IndexLock& operator=(const IndexLock&) = delete;

  Result<> Take(const Cancel& cancel) {
    while (true) {
      Fd file(::openat(directory_, kLock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
      if (!file.valid()) return Fail(SystemError(kLock, errno));
      if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0 && IsNamed(file.get())) {
        file_ = std::move(file);
        return {};
      }
      if (!cancel.SleepFor(std::chrono::milliseconds(20))) return Fail(cancel.error());
    }
  }

 private:
  /// Whoever had it before has removed the file that we waited for.
  bool IsNamed(int file) const {
    struct stat ours {};
    struct stat named {};
    return ::fstat(file, &ours) == 0 &&
           ::fstatat(directory_, kLock, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
  }

  int directory_;
  Fd file_;
};

bool HasName(const Descriptor& entry, const LayoutName& name) {
  const auto& annotations = entry.annotations;
  auto has = [&](std::string_view key, const std::string& value) {
    auto found = annotations.find(std::string(key));
    return found != annotations.end() && found->second == value;
  };
  if (!name.image.empty()) return has(kImageName, name.image);
  return !annotations.contains(std::string(kImageName)) && has(kTag, name.tag);
}

/// Puts it where the first one of its name was, else at the end.
void PutEntry(std::vector<Descriptor>& entries, Descriptor entry, const LayoutName& name) {
  SetAnnotation(entry, std::string(kTag), name.tag);
  if (!name.image.empty()) SetAnnotation(entry, std::string(kImageName), name.image);
  auto same = [&](const Descriptor& other) { return HasName(other, name); };
  auto first = std::find_if(entries.begin(), entries.end(), same);
  if (first == entries.end()) {
    entries.push_back(std::move(entry));
    return;
  }
  *first = std::move(entry);
  entries.erase(std::remove_if(std::next(first), entries.end(), same), entries.end());
}

}  // namespace

Error LayoutStore::Because(int error_number) const {
  return SystemError(Printable(path_), error_number);
}

Result<std::shared_ptr<LayoutStore>> LayoutStore::OpenFolder(const std::string& path,
                                                             bool writable) {
  TRY_ASSIGN(const disk::Bounds bounds, disk::BoundsOf(path, {}));
  TRY_ASSIGN(const disk::Found found, disk::Lookup(bounds));
  if (!S_ISDIR(found.status().st_mode)) {
    return Fail(ErrorCode::kInvalid, Cat(Printable(path), " is not a folder"));
  }
  std::error_code error;
  const std::string root = std::filesystem::canonical(found.path(), error).string();
  if (error) return Fail(SystemError(Printable(path), error.value()));
  Fd directory(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return Fail(SystemError(Printable(path), errno));
  return std::shared_ptr<LayoutStore>(new LayoutStore(path, root, std::move(directory), writable));
}

Result<std::shared_ptr<LayoutStore>> LayoutStore::OpenToRead(const std::string& path) {
  return OpenFolder(path, false);
}

Result<std::shared_ptr<LayoutStore>> LayoutStore::OpenToWrite(const std::string& path) {
  TRY(disk::CheckWithin(path));
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return Fail(SystemError(Cat("make the folder ", Printable(path)), error.value()));
  return OpenFolder(path, true);
}

Result<std::int64_t> LayoutStore::Size(const std::string& digest) {
  TRY_ASSIGN(const disk::Found found, FindBlob(root_, digest));
  return found.status().st_size;
}

Result<std::unique_ptr<Blob>> LayoutStore::Open(const std::string& digest) {
  TRY_ASSIGN(const disk::Found found, FindBlob(root_, digest));
  Result<Fd> file = found.Open();
  if (!file) return Fail(AsFault(std::move(file).error()));
  return std::make_unique<FileBlob>(*std::move(file), Printable(found.path()),
                                    found.status().st_size);
}

Result<std::unique_ptr<BlobWriter>> LayoutStore::Begin(const BlobInfo&) {
  if (!writable_) {
    return Fail(ErrorCode::kDenied, Cat(Printable(path_), " is only for reading"));
  }
  for (const char* name : {"blobs", kBlobs}) {
    if (::mkdirat(directory_.get(), name, 0777) != 0 && errno != EEXIST) {
      return Fail(Because(errno));
    }
  }
  const int blobs = files::OpenBeneath(directory_.get(), kBlobs, O_RDONLY | O_DIRECTORY);
  if (blobs < 0) return Fail(Because(-blobs));
  auto writer = std::make_unique<FileBlobWriter>(Fd(blobs), Printable(path_));
  TRY(writer->Create());
  return writer;
}

Result<std::vector<BlobInfo>> LayoutStore::List() {
  const Fd blobs(files::OpenBeneath(directory_.get(), kBlobs, O_RDONLY | O_DIRECTORY));
  std::vector<BlobInfo> infos;
  if (!blobs.valid()) return infos;
  disk::DirectoryListing listing;
  if (int error = listing.Read(blobs.get()); error != 0) return Fail(Because(error));
  for (const auto& name : listing.names()) {
    const std::string digest = Cat("sha256:", name.text);
    struct stat status {};
    const bool blob = IsDigest(digest) &&
                      ::fstatat(blobs.get(), name.text, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                      S_ISREG(status.st_mode);
    if (blob) infos.push_back({digest, status.st_size});
  }
  return infos;
}

Result<ImageIndex> LayoutStore::ReadIndex() const {
  TRY_ASSIGN(const std::string content, disk::ReadBeneath(root_, kIndex, kMaxManifestSize));
  Result<ImageIndex> index = ParseIndex(content);
  if (!index) {
    return Fail(std::move(index).error().While(Cat(Printable(path_), "/", kIndex)));
  }
  return index;
}

Result<> LayoutStore::WriteFile(const std::string& name, const std::string& content) const {
  disk::PendingFile file;
  int error = file.Create(directory_.get(), 0666);
  if (error == 0) error = disk::WriteAll(file.fd(), content);
  if (error == 0) error = file.Commit(name);
  return error == 0 ? Result<>() : Fail(SystemError(Cat(Printable(path_), "/", name), error));
}

Result<> LayoutStore::Replace(const Descriptor& descriptor,
                              const std::vector<LayoutName>& names) const {
  ImageIndex index;
  Result<ImageIndex> known = ReadIndex();
  if (known) {
    index = *std::move(known);
  } else if (known.error().code() != ErrorCode::kNotFound) {
    return Fail(std::move(known).error());
  }
  for (const LayoutName& name : names)
    PutEntry(index.manifests, descriptor, name);
  TRY(WriteFile("oci-layout", std::string(kLayoutFile)));
  return WriteFile(kIndex, FormatIndex(kOciIndexType, index.manifests, index.annotations));
}

Result<> LayoutStore::Put(const Descriptor& descriptor,
                          const std::vector<LayoutName>& names,
                          const Cancel& cancel) {
  if (!writable_) {
    return Fail(ErrorCode::kDenied, Cat(Printable(path_), " is only for reading"));
  }
  IndexLock lock(directory_.get());
  TRY(lock.Take(
      cancel.WithTimeout(kLockTime, Cat("another process holds ", Printable(path_), "/", kLock))));
  return Replace(descriptor, names);
}

const Descriptor* FindNamed(const ImageIndex& index, const std::string& name) {
  for (std::string_view key : {kImageName, kTag}) {
    auto has = [&](const Descriptor& entry) {
      auto found = entry.annotations.find(std::string(key));
      return found != entry.annotations.end() && found->second == name;
    };
    auto found = std::find_if(index.manifests.begin(), index.manifests.end(), has);
    if (found != index.manifests.end()) return &*found;
  }
  return nullptr;
}

}  // namespace depot::session
