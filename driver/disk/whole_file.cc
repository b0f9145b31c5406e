#include "driver/disk/whole_file.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <optional>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/fd.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/lookup.h"
#include "driver/disk/pending_file.h"

namespace depot::disk {
namespace {

/// A device, pipe or descriptor: what is written has arrived.
class DirectFile final : public WholeFile {
 public:
  DirectFile(std::string shown, Fd fd) : shown_(std::move(shown)), fd_(std::move(fd)) {}

  Result<> Write(std::string_view data) override {
    written_ |= !data.empty();
    const int error = WriteAll(fd_.get(), data);
    return error == 0 ? Result<>() : Fail(SystemError(Cat("write ", shown_), error));
  }

  Result<> StartOver() override {
    if (!written_) return {};
    return Fail(ErrorCode::kFailed, Cat("a part of the result is in ", shown_, " already"));
  }

  Result<> Commit() override {
    if (close(fd_.Release()) != 0) return Fail(SystemError(Cat("write ", shown_), errno));
    return {};
  }

 private:
  std::string shown_;
  Fd fd_;
  bool written_ = false;
};

/// Where a file is really to be: symlinks resolved.
struct Place {
  std::string directory;
  std::string name;
  int descriptor = -1;  // this process's own one, when the path is a name for it
};

class ReplacingFile final : public WholeFile {
 public:
  ReplacingFile(std::string shown, Fd directory, std::string name, mode_t mode)
      : shown_(std::move(shown)),
        directory_(std::move(directory)),
        name_(std::move(name)),
        mode_(mode) {}

  /// Once, at the first need for it.
  Result<> Create() {
    const int error = file_.created() ? 0 : file_.Create(directory_.get(), mode_);
    return error == 0 ? Result<>() : Fail(SystemError(Cat("create ", shown_), error));
  }

  void Discard() { file_.Discard(); }

  Result<> Write(std::string_view data) override {
    TRY(Create());
    const int error = WriteAll(file_.fd(), data);
    return error == 0 ? Result<>() : Fail(SystemError(Cat("write ", shown_), error));
  }

  Result<> StartOver() override {
    file_.Discard();
    return {};
  }

  Result<> Commit() override {
    TRY(Create());
    const int error = file_.Commit(name_);
    return error == 0 ? Result<>() : Fail(SystemError(Cat("write ", shown_), error));
  }

 private:
  std::string shown_;
  Fd directory_;
  std::string name_;
  mode_t mode_;
  PendingFile file_;
};

Result<> MakeDirectories(const std::string& path, mode_t mode) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const int error = mkdir(part.c_str(), mode) == 0 ? 0 : errno;
    struct stat st {};
    if (error != 0 && stat(part.c_str(), &st) != 0) {
      return Fail(SystemError(Cat("make the directory ", Printable(part)), error));
    }
    if (slash == std::string::npos) return {};
  }
}

std::optional<std::string> RealPath(const std::string& path) {
  char resolved[PATH_MAX];
  if (realpath(path.c_str(), resolved) == nullptr) return std::nullopt;
  return resolved;
}

/// The descriptor that `name` in /proc/self/fd stands for, or -1.
int OwnDescriptor(const std::string& directory, const std::string& name) {
  if (directory != Cat("/proc/", getpid(), "/fd")) return -1;
  const auto number = ParseDecimal(name);
  return number && *number <= INT_MAX ? static_cast<int>(*number) : -1;
}

/// `parents`: the mode of missing directories, 0 = none are made.
Result<Place> Resolve(std::string path, mode_t parents) {
  for (int links = 0; links <= kMaxLinks; ++links) {
    const std::size_t slash = path.rfind('/');
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    if (name.empty() || name == "." || name == "..") {
      return Fail(ErrorCode::kInvalid, Cat("\"", Printable(path), "\" is not the name of a file"));
    }
    auto directory = RealPath(parent);
    if (!directory && errno == ENOENT && parents != 0) {
      TRY(MakeDirectories(parent, parents));
      directory = RealPath(parent);
    }
    if (!directory) return Fail(SystemError(Cat("open the directory ", Printable(parent)), errno));
    Place place{*directory, name, OwnDescriptor(*directory, name)};
    if (place.descriptor >= 0) return place;
    char target[PATH_MAX];
    const std::string full = Cat(*directory, "/", name);
    const ssize_t length = readlink(full.c_str(), target, sizeof target);
    if (length < 0) return place;
    const std::string to(target, static_cast<std::size_t>(length));
    path = to.starts_with('/') ? to : Cat(*directory, "/", to);
  }
  return Fail(SystemError(Cat("open ", Printable(path)), ELOOP));
}

Result<std::unique_ptr<WholeFile>> OpenDirect(const std::string& shown,
                                              const std::string& path,
                                              mode_t mode) {
  // O_NONBLOCK: a pipe without a reader is an error at once, not a hang.
  Fd fd(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid() && errno == ENXIO && S_ISFIFO(mode)) {
    return Fail(ErrorCode::kInvalid, Cat("nothing reads from the pipe ", shown));
  }
  if (!fd.valid()) return Fail(SystemError(Cat("open ", shown, " for writing"), errno));
  const int flags = fcntl(fd.get(), F_GETFL);
  fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK);
  return std::make_unique<DirectFile>(shown, std::move(fd));
}

Result<std::unique_ptr<WholeFile>> Open(const std::string& path, mode_t parents, mode_t mode) {
  const std::string shown = Printable(path);
  TRY_ASSIGN(const Place place, Resolve(path, parents));
  if (place.descriptor >= 0) {
    // The same open file, so that its offset stays right for whoever else writes to it.
    Fd fd(fcntl(place.descriptor, F_DUPFD_CLOEXEC, 3));
    if (!fd.valid()) return Fail(SystemError(Cat("open ", shown, " for writing"), errno));
    if ((fcntl(fd.get(), F_GETFL) & O_ACCMODE) == O_RDONLY) {
      return Fail(SystemError(Cat("open ", shown, " for writing"), EACCES));
    }
    return std::make_unique<DirectFile>(shown, std::move(fd));
  }
  Fd directory(open(place.directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) {
    return Fail(SystemError(Cat("open the directory ", Printable(place.directory)), errno));
  }
  struct stat st {};
  if (fstatat(directory.get(), place.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISDIR(st.st_mode)) {
      return Fail(ErrorCode::kInvalid, Cat(shown, " is a directory, not a file"));
    }
    if (!S_ISREG(st.st_mode)) {
      return OpenDirect(shown, Cat(place.directory, "/", place.name), st.st_mode);
    }
  }
  auto file = std::make_unique<ReplacingFile>(shown, std::move(directory), place.name, mode);
  TRY(file->Create());
  file->Discard();
  return file;
}

}  // namespace

int WriteAll(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {
      // Whoever gave us this descriptor made it non-blocking.
      pollfd wait{fd, POLLOUT, 0};
      poll(&wait, 1, -1);
      continue;
    }
    if (written < 0) return errno;
    data.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

Result<std::unique_ptr<WholeFile>> OpenWholeFile(const std::string& path, bool make_parents) {
  TRY(CheckWithin(path));
  return Open(path, make_parents ? 0755 : 0, 0666);
}

Result<> WriteWholeFile(const std::string& path, std::string_view content) {
  TRY_ASSIGN(const auto file, Open(path, 0, 0666));
  TRY(file->Write(content));
  return file->Commit();
}

Result<Fd> OpenNamelessFile(const std::string& directory) {
  Fd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd.valid()) return fd;
  // Not every file system can do that.
  std::string name = directory + "/.docker-depot-XXXXXX";
  fd = Fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd.valid()) return Fail(SystemError(Cat("temporary file in ", Printable(directory)), errno));
  ::unlink(name.c_str());
  return fd;
}

Result<> WritePrivateFile(const std::string& path, std::string_view content) {
  TRY_ASSIGN(const auto file, Open(path, 0700, 0600));
  TRY(file->Write(content));
  return file->Commit();
}

Result<> CheckPrivateFile(const std::string& path) {
  return Open(path, 0700, 0600).map([](auto&&) {});
}

}  // namespace depot::disk
