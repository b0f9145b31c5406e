#include "driver/disk/pending_file.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "driver/base/random.h"
#include "driver/base/text.h"

namespace depot::disk {
namespace {

/// The name of a file without one, for linkat(2): the other way, AT_EMPTY_PATH, is root's.
std::string ProcName(int fd) {
  return Cat("/proc/self/fd/", fd);
}

}  // namespace

std::string TemporaryName() {
  return ".tmp." + RandomId();
}

int PendingFile::Create(int directory, mode_t mode) {
  directory_ = directory;
  fd_.Reset(openat(directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode));
  if (fd_.valid() && access(ProcName(fd_.get()).c_str(), F_OK) == 0) return 0;
  // The file system does not know it (NFS, old overlayfs), or without /proc it would never get a
  // name.
  std::string temporary = TemporaryName();
  fd_.Reset(openat(directory, temporary.c_str(),
                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd_.valid()) return errno;
  temporary_ = std::move(temporary);
  return 0;
}

int PendingFile::Commit(const std::string& name) {
  if (!temporary_.empty()) return CommitNamed(name);
  const std::string self = ProcName(fd_.get());
  const auto link = [&](const std::string& as) {
    const bool linked =
        linkat(AT_FDCWD, self.c_str(), directory_, as.c_str(), AT_SYMLINK_FOLLOW) == 0;
    return linked ? 0 : errno;
  };
  int error = link(name);
  if (error == EEXIST) {
    // A link replaces nothing: so a name for the moment, and a rename.
    std::string temporary = TemporaryName();
    error = link(temporary);
    if (error != 0) return error;
    temporary_ = std::move(temporary);
    return CommitNamed(name);
  }
  if (error == 0) fd_.Reset();
  return error;
}

int PendingFile::CommitNamed(const std::string& name) {
  // Some file systems report a full disk only here.
  if (fd_.valid() && close(fd_.Release()) != 0) return errno;
  if (renameat(directory_, temporary_.c_str(), directory_, name.c_str()) != 0) return errno;
  temporary_.clear();
  return 0;
}

void PendingFile::Discard() {
  if (!temporary_.empty()) unlinkat(directory_, temporary_.c_str(), 0);
  temporary_.clear();
  fd_.Reset();
}

}  // namespace depot::disk
