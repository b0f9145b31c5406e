#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "driver/base/cancel.h"
#include "driver/base/fd.h"

namespace depot::files {

/// A file's time as mtime_ns; one beyond what that holds (the years 1677 to 2262) is the nearest.
inline std::int64_t Nanoseconds(const timespec& time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  constexpr std::int64_t kMax = INT64_MAX / kSecond;
  if (time.tv_sec >= kMax) return INT64_MAX;
  if (time.tv_sec < -kMax) return INT64_MIN;
  return time.tv_sec * kSecond + time.tv_nsec;
}

/// What the file system says of a file's content: whoever writes to it changes one of these.
struct FileState {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;

  friend bool operator==(const FileState&, const FileState&) = default;
};

inline FileState StateOf(const struct stat& info) {
  return {info.st_dev, info.st_ino, info.st_size, Nanoseconds(info.st_mtim),
          Nanoseconds(info.st_ctim)};
}

/// One file, directory, link or device below a root.
struct FileEntry {
  std::string path;        ///< relative, '/'-separated, cleaned; raw bytes, need not be UTF-8
  std::uint32_t mode = 0;  ///< POSIX st_mode: type and permission bits
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  /// Bytes; 0 for directories. A later name of a file has its size too: a builder compares what it
  /// is told with what it finds, and makes a link that differs anew, of which a stray file is left
  /// (fsutil stat.go, diskwriter.go).
  std::int64_t size = 0;
  std::int64_t mtime_ns = 0;  ///< since 1970
  /// A symlink's target, or, for a regular file, the path of an earlier entry that is the same
  /// inode. Empty otherwise.
  std::string linkname;
  std::int64_t dev_major = 0;
  std::int64_t dev_minor = 0;
  std::map<std::string, std::string> xattrs;
  /// As on disk; all zero where the tree is elsewhere. Not sent.
  FileState state;
  std::uint64_t links = 0;  ///< how many names it has there
  /// `mtime_ns` stands for the content that the file has in `state`: no other may be sent with it.
  bool bound = false;
};

/// Whether its bytes may be asked for: no later name of a file has them once more.
inline bool HasContent(const FileEntry& entry) {
  return S_ISREG(entry.mode) && entry.linkname.empty();
}

/// What of a tree is wanted. All in the syntax of .dockerignore lines (moby/patternmatcher).
struct TreeFilter {
  std::vector<std::string> include;  ///< empty = everything
  std::vector<std::string> exclude;  ///< the last match wins; "!" re-includes
  std::vector<std::string> follow;   ///< paths to send with the symlinks on the way (fsutil
                                     ///< followlinks.go); added to `include`
};

/// A tree of files that a builder may ask for. Safe to use from several threads at once.
class FileTree {
 public:
  using Visitor = std::function<Result<>(FileEntry entry)>;

  virtual ~FileTree() = default;

  /// Visits every wanted entry in fsutil's order: depth first, names of one directory by byte, a
  /// parent before its children; the root itself is not visited. Entries that vanish meanwhile are
  /// skipped. Stops at the first error of `visit`. A malformed pattern is kInvalid and named.
  virtual Result<> Walk(const TreeFilter& filter,
                        const Visitor& visit,
                        const Cancel& cancel) const = 0;

  /// Opens a regular file that Walk() named, for reading. Never leaves the root, whatever has
  /// become of the path since: a symlink anywhere in it is an error.
  virtual Result<Fd> Open(const std::string& path) const = 0;

  /// Says of a file that Walk() gave as `bound` that it had another state when its content was
  /// read: from now on its time stands for nothing, and is another each time.
  virtual void Distrust(const std::string& path) const { (void)path; }
};

/// The directory `root` (a symlink to one is resolved). kNotFound when it does not exist, kInvalid
/// when it is something else. The directory is held open, so renaming it does no harm.
Result<std::unique_ptr<FileTree>> OpenDirectoryTree(const std::string& root);

/// Plain files at the top of an otherwise empty tree, name to content; mtime 0, mode 0644. For a
/// Dockerfile that came from standard input.
std::unique_ptr<FileTree> MakeMemoryTree(std::map<std::string, std::string> files);

/// `tree`, for several builders that each read all of it: `changed` is called with the path of a
/// file (once) whose size or time is another one than when it was first seen, on the thread that
/// reads it. What changes while it is being read goes unseen.
std::unique_ptr<FileTree> MakeComparedTree(std::unique_ptr<FileTree> tree,
                                           std::function<void(std::string path)> changed);

/// `tree` with the permissions that git knows: 0755 for folders and for what its owner may execute,
/// 0644 for other files, so that the umask of whoever checked it out makes no difference. Devices,
/// pipes and links are as they are.
std::unique_ptr<FileTree> MakeGitModesTree(std::unique_ptr<FileTree> tree);

}  // namespace depot::files
