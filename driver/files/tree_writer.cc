#include "driver/files/tree_writer.h"

#include <cerrno>
#include <climits>
#include <mutex>
#include <unordered_set>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/lookup.h"
#include "driver/disk/pending_file.h"
#include "driver/disk/remove_tree.h"
#include "driver/files/beneath.h"

namespace depot::files {
namespace {

constexpr mode_t kPermissions = 07777;

std::string Place(const std::string& root, std::string_view path) {
  return Cat(root, "/", Printable(path));
}

Error Refused(const std::string& root, std::string_view path, std::string_view why) {
  return {ErrorCode::kInvalid,
          Cat("refused to write \"", Printable(path), "\" below ", root, ": ", why)};
}

/// {keep, set}: for utimensat(2). The access time is left alone.
struct Times {
  explicit Times(std::int64_t mtime_ns) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    std::int64_t seconds = mtime_ns / kSecond;
    std::int64_t rest = mtime_ns % kSecond;
    if (rest < 0) {
      rest += kSecond;
      --seconds;
    }
    values[0] = {0, UTIME_OMIT};
    values[1] = {seconds, rest};
  }
  timespec values[2];
};

/// Best effort: the file system, or the user, may not be allowed to have them.
void SetXattrs(int fd, const FileEntry& entry) {
  for (const auto& [name, value] : entry.xattrs)
    fsetxattr(fd, name.c_str(), value.data(), value.size(), 0);
}

/// 0 or the errno.
int SetModeAndTime(int fd, mode_t mode, std::int64_t mtime_ns) {
  if (fchmod(fd, mode & kPermissions) != 0) return errno;
  return futimens(fd, Times(mtime_ns).values) == 0 ? 0 : errno;
}

/// Where an entry goes: its open parent directory, and its name there.
struct Target {
  Fd parent;
  std::string name;
};

bool IsDirectoryInTheWay(int error) {
  return error == EISDIR || error == ENOTEMPTY || error == EEXIST;
}

/// rename(2) over whatever is there. 0 or the errno; `from` is gone in either case.
int Replace(int parent, const std::string& from, const std::string& to) {
  int error = renameat(parent, from.c_str(), parent, to.c_str()) == 0 ? 0 : errno;
  if (IsDirectoryInTheWay(error)) {
    error = disk::RemoveTree(parent, to.c_str());
    if (error == 0 && renameat(parent, from.c_str(), parent, to.c_str()) != 0) error = errno;
  }
  // Renaming a file to another name of itself leaves both.
  unlinkat(parent, from.c_str(), 0);
  return error;
}

/// What a directory gets at the end only; small, because there may be millions.
struct Closing {
  mode_t mode = 0;
  std::int64_t mtime_ns = 0;
};

class Writer final : public TreeWriter {
 public:
  Writer(Fd directory, std::string root, Devices devices)
      : directory_(std::move(directory)), root_(std::move(root)), devices_(devices) {}

  Result<> Make(const FileEntry& entry) override;
  Result<std::unique_ptr<File>> Create(const FileEntry& entry) override;
  Result<> Finish() override;

  Result<> Commit(disk::PendingFile& file, const Target& to, const FileEntry& entry);
  const std::string& root() const { return root_; }

 private:
  Result<Target> Locate(std::string_view path) const;
  Result<> MakeDirectory(const FileEntry& entry, const Target& target);
  Result<> MakeHardLink(const FileEntry& entry, const Target& target);
  Result<> MakeSymlink(const FileEntry& entry, const Target& target);
  Result<> CheckDevice(const FileEntry& entry) const;
  Result<> MakeSpecial(const FileEntry& entry, const Target& target);
  Error Failed(const std::string& path, int error) const {
    return SystemError(Cat("write ", Place(root_, path)), error);
  }
  void Remember(const FileEntry& file);

  const Fd directory_;
  const std::string root_;  // for messages
  const Devices devices_;
  std::mutex mutex_;
  std::map<std::string, Closing> directories_;     // of this transfer
  std::unordered_set<std::string> regular_files_;  // committed in this transfer
};

class WrittenFile final : public TreeWriter::File {
 public:
  WrittenFile(Writer& writer, FileEntry entry, Target target)
      : writer_(writer), entry_(std::move(entry)), target_(std::move(target)) {}

  Result<> Create() {
    const int error = file_.Create(target_.parent.get(), 0600);
    return error == 0 ? Result<>() : Fail(Failed(error));
  }

  Result<> Write(std::string_view data) override {
    while (!data.empty()) {
      const ssize_t written = write(file_.fd(), data.data(), data.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Fail(Failed(errno));
      data.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<> Commit() override {
    SetXattrs(file_.fd(), entry_);
    const int error = SetModeAndTime(file_.fd(), entry_.mode, entry_.mtime_ns);
    if (error != 0) return Fail(Failed(error));
    return writer_.Commit(file_, target_, entry_);
  }

 private:
  Error Failed(int error) const {
    return SystemError(Cat("write ", Place(writer_.root(), entry_.path)), error);
  }

  Writer& writer_;
  const FileEntry entry_;
  const Target target_;
  disk::PendingFile file_;
};

Result<Target> Writer::Locate(std::string_view path) const {
  const std::string_view defect = PathDefect(path);
  if (!defect.empty()) return Fail(Refused(root_, path, defect));
  const std::size_t slash = path.rfind('/');
  const bool at_top = slash == std::string_view::npos;
  const int fd = OpenBeneath(directory_.get(), at_top ? "." : std::string(path.substr(0, slash)),
                             O_PATH | O_DIRECTORY);
  if (fd == -ELOOP || fd == -ENOTDIR) {
    return Fail(Refused(root_, path, "a parent of it is a symbolic link or a file"));
  }
  if (fd == -ENOENT) return Fail(Refused(root_, path, "its directory was not sent before it"));
  if (fd < 0) return Fail(SystemError(Cat("write ", Place(root_, path)), -fd));
  return Target{Fd(fd), std::string(at_top ? path : path.substr(slash + 1))};
}

void Writer::Remember(const FileEntry& file) {
  const std::lock_guard lock(mutex_);
  regular_files_.insert(file.path);
}

Result<> Writer::Commit(disk::PendingFile& file, const Target& to, const FileEntry& entry) {
  int error = file.Commit(to.name);
  if (IsDirectoryInTheWay(error)) {
    error = disk::RemoveTree(to.parent.get(), to.name.c_str());
    if (error == 0) error = file.Commit(to.name);
  }
  if (error != 0) return Fail(Failed(entry.path, error));
  Remember(entry);
  return {};
}

Result<> Writer::Make(const FileEntry& entry) {
  TRY_ASSIGN(const Target target, Locate(entry.path));
  if (!S_ISREG(entry.mode)) {
    const std::lock_guard lock(mutex_);
    regular_files_.erase(entry.path);
  }
  switch (entry.mode & S_IFMT) {
    case S_IFDIR:
      return MakeDirectory(entry, target);
    case S_IFLNK:
      return MakeSymlink(entry, target);
    case S_IFIFO:
    case S_IFBLK:
    case S_IFCHR:
      return MakeSpecial(entry, target);
    case S_IFREG:
      return MakeHardLink(entry, target);
    default:
      return Fail(Refused(root_, entry.path, "it is of a kind that cannot be made"));
  }
}

Result<> Writer::MakeDirectory(const FileEntry& entry, const Target& target) {
  const int parent = target.parent.get();
  const char* name = target.name.c_str();
  bool exists = mkdirat(parent, name, 0700) != 0;
  if (exists && errno != EEXIST) return Fail(Failed(entry.path, errno));
  struct stat st {};
  if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return Fail(Failed(entry.path, errno));
  if (!S_ISDIR(st.st_mode)) {
    if (unlinkat(parent, name, 0) != 0 || mkdirat(parent, name, 0700) != 0) {
      return Fail(Failed(entry.path, errno));
    }
    exists = false;
  }
  // Its final mode comes with Finish(): until then we must be able to write into it.
  const mode_t open_mode = (st.st_mode & kPermissions) | 0700;
  if (exists && open_mode != (st.st_mode & kPermissions) &&
      fchmodat(parent, name, open_mode, AT_SYMLINK_NOFOLLOW) != 0) {
    return Fail(Failed(entry.path, errno));
  }
  // Not remembered: a stranger may send any number of them.
  if (!entry.xattrs.empty()) {
    const Fd fd(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (fd.valid()) SetXattrs(fd.get(), entry);
  }
  const std::lock_guard lock(mutex_);
  directories_.insert_or_assign(entry.path, Closing{entry.mode, entry.mtime_ns});
  return {};
}

Result<> Writer::MakeHardLink(const FileEntry& entry, const Target& target) {
  if (entry.linkname.empty()) {
    return Fail(ErrorCode::kInternal, Cat(Place(root_, entry.path), " is a file, not a link"));
  }
  TRY_ASSIGN(const Target source, Locate(entry.linkname));
  {
    const std::lock_guard lock(mutex_);
    if (!regular_files_.contains(entry.linkname)) {
      return Fail(Refused(root_, entry.path,
                          Cat("it is a hard link to \"", Printable(entry.linkname),
                              "\", which is not a file that was sent before it")));
    }
  }
  const std::string temporary = disk::TemporaryName();
  if (linkat(source.parent.get(), source.name.c_str(), target.parent.get(), temporary.c_str(), 0) !=
      0) {
    return Fail(Failed(entry.path, errno));
  }
  const int error = Replace(target.parent.get(), temporary, target.name);
  if (error != 0) return Fail(Failed(entry.path, error));
  Remember(entry);
  return {};
}

Result<> Writer::MakeSymlink(const FileEntry& entry, const Target& target) {
  const std::string& to = entry.linkname;
  if (to.empty() || to.size() >= PATH_MAX || to.find('\0') != std::string::npos) {
    return Fail(Refused(root_, entry.path, "it is a symbolic link to an impossible path"));
  }
  const int parent = target.parent.get();
  const std::string temporary = disk::TemporaryName();
  if (symlinkat(to.c_str(), parent, temporary.c_str()) != 0) return Fail(Failed(entry.path, errno));
  utimensat(parent, temporary.c_str(), Times(entry.mtime_ns).values, AT_SYMLINK_NOFOLLOW);
  const int error = Replace(parent, temporary, target.name);
  return error == 0 ? Result<>() : Fail(Failed(entry.path, error));
}

Result<> Writer::CheckDevice(const FileEntry& entry) const {
  const std::string what = Cat("cannot make the device node ", Place(root_, entry.path), ": ");
  if (devices_ == Devices::kRefused) {
    return Fail(Error(ErrorCode::kDenied, what + "whoever opens it reaches this machine's device")
                    .WithHint("allow it with --output type=local,dest=DIR,devices=true, or export "
                              "to a tar file (--output type=tar,dest=FILE)"));
  }
  const auto in_range = [](std::int64_t number, std::int64_t bits) {
    return number >= 0 && number >> bits == 0;
  };
  // What Linux has: include/linux/kdev_t.h.
  if (!in_range(entry.dev_major, 12) || !in_range(entry.dev_minor, 20)) {
    return Fail(Refused(root_, entry.path, "its device number is impossible"));
  }
  return {};
}

Result<> Writer::MakeSpecial(const FileEntry& entry, const Target& target) {
  const bool device = !S_ISFIFO(entry.mode);
  if (device) TRY(CheckDevice(entry));
  const int parent = target.parent.get();
  const std::string temporary = disk::TemporaryName();
  const dev_t number = device ? makedev(static_cast<unsigned>(entry.dev_major),
                                        static_cast<unsigned>(entry.dev_minor))
                              : 0;
  if (mknodat(parent, temporary.c_str(), entry.mode & (S_IFMT | kPermissions), number) != 0) {
    if (errno != EPERM) return Fail(Failed(entry.path, errno));
    return Fail(Error(ErrorCode::kDenied, Cat("cannot make the device node ",
                                              Place(root_, entry.path), ": only root may"))
                    .WithHint("export to a tar file instead (--output type=tar,dest=FILE)"));
  }
  // mknodat() applied the umask.
  fchmodat(parent, temporary.c_str(), entry.mode & kPermissions, 0);
  utimensat(parent, temporary.c_str(), Times(entry.mtime_ns).values, AT_SYMLINK_NOFOLLOW);
  const int error = Replace(parent, temporary, target.name);
  return error == 0 ? Result<>() : Fail(Failed(entry.path, error));
}

Result<std::unique_ptr<TreeWriter::File>> Writer::Create(const FileEntry& entry) {
  TRY_ASSIGN(Target target, Locate(entry.path));
  auto file = std::make_unique<WrittenFile>(*this, entry, std::move(target));
  TRY(file->Create());
  return file;
}

Result<> Writer::Finish() {
  std::map<std::string, Closing> directories;
  {
    const std::lock_guard lock(mutex_);
    directories.swap(directories_);
  }
  // Children first: a parent that may no longer be searched comes after them.
  for (auto it = directories.rbegin(); it != directories.rend(); ++it) {
    const auto& [path, closing] = *it;
    const int fd = OpenBeneath(directory_.get(), path, O_RDONLY | O_DIRECTORY);
    // What came later in the transfer may have replaced it.
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP) continue;
    const Fd open_fd(fd);
    const int error = fd < 0 ? -fd : SetModeAndTime(fd, closing.mode, closing.mtime_ns);
    if (error != 0) return Fail(Failed(path, error));
  }
  return {};
}

/// Opens `root`, after making it and its parents; `made` gets those that did not exist.
Result<Fd> OpenRoot(const std::string& root, std::vector<std::string>& made) {
  TRY(disk::CheckWithin(root));
  const std::string shown = Printable(root);
  // BuildKit's client makes the destination with mode 0700 too (session/filesync).
  for (std::size_t slash = root.find('/', 1); !root.empty(); slash = root.find('/', slash + 1)) {
    const std::string path = root.substr(0, slash);
    const int error = mkdir(path.c_str(), 0700) == 0 ? 0 : errno;
    struct stat st {};
    if (error == 0) {
      made.push_back(path);
    } else if (stat(path.c_str(), &st) != 0) {
      return Fail(SystemError(Cat("make the directory ", Printable(path)), error));
    }
    if (slash == std::string::npos) break;
  }
  Fd directory(open(root.c_str(), O_PATH | O_CLOEXEC));
  if (!directory.valid()) return Fail(SystemError(Cat("make the directory ", shown), errno));
  struct stat st {};
  if (fstat(directory.get(), &st) != 0 || !S_ISDIR(st.st_mode)) {
    return Fail(ErrorCode::kInvalid, Cat(shown, " is not a directory"));
  }
  if (faccessat(directory.get(), ".", W_OK | X_OK, AT_EACCESS) != 0) {
    return Fail(SystemError(Cat("write into the directory ", shown), errno));
  }
  return directory;
}

}  // namespace

Result<std::unique_ptr<TreeWriter>> OpenTreeWriter(const std::string& root, Devices devices) {
  std::vector<std::string> made;
  TRY_ASSIGN(Fd directory, OpenRoot(root, made));
  return std::make_unique<Writer>(std::move(directory), Printable(root), devices);
}

Result<> CheckTreeRoot(const std::string& root) {
  std::vector<std::string> made;
  const Result<Fd> opened = OpenRoot(root, made);
  for (auto path = made.rbegin(); path != made.rend(); ++path)
    unlinkat(AT_FDCWD, path->c_str(), AT_REMOVEDIR);
  if (!opened) return Fail(opened.error());
  return {};
}

}  // namespace depot::files
