#include "pool/settings/durable_file.h"

#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/pending_file.h"

namespace depot::settings {
namespace {

/// 0 or the errno.
int Fill(int fd, std::string_view content, const FileRights& rights) {
  struct stat st {};
  if (fstat(fd, &st) != 0) return errno;
  const bool ours = st.st_uid == rights.user && st.st_gid == rights.group;
  if (!ours && fchown(fd, rights.user, rights.group) != 0) return errno;
  if (fchmod(fd, rights.mode) != 0) return errno;
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return fsync(fd) == 0 ? 0 : errno;
}

}  // namespace

Result<> ReplaceFile(const std::string& path, std::string_view content, const FileRights& rights) {
  const std::string doing = Cat("write ", Printable(path));
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const Fd directory(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return Fail(SystemError(doing, errno));
  disk::PendingFile file;
  int error = file.Create(directory.get(), 0600);
  if (error == 0) error = Fill(file.fd(), content, rights);
  if (error == 0) error = file.Commit(name);
  if (error != 0) {
    Error failure = SystemError(doing, error);
    if (error != EBUSY) return Fail(std::move(failure));
    return Fail(std::move(failure).WithHint(
        "it is a mount point of its own: mount the directory that holds it instead"));
  }
  fsync(directory.get());
  return {};
}

std::string FileStamp(const std::string& path) {
  struct stat now {};
  if (::stat(path.c_str(), &now) != 0) return "";
  return Cat(now.st_dev, ' ', now.st_ino, ' ', now.st_size, ' ', now.st_mtim.tv_sec, ' ',
             now.st_mtim.tv_nsec);
}

Result<Fd> LockDirectory(const std::string& path, const Cancel& cancel) {
  const std::string doing = Cat("lock ", Printable(path));
  Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return Fail(SystemError(doing, errno));
  while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return Fail(SystemError(doing, errno));
    if (!cancel.SleepFor(std::chrono::milliseconds(20))) return Fail(cancel.error());
  }
  return fd;
}

}  // namespace depot::settings
