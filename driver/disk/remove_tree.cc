#include "driver/disk/remove_tree.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/fd.h"
#include "driver/disk/directory_listing.h"

namespace depot::disk {
namespace {

int OpenDirectory(int directory, const char* name) {
  return openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/// 0 or the errno. A directory that we own can be emptied whatever its mode says.
int RemoveContent(int directory, const char* name) {
  Fd fd(OpenDirectory(directory, name));
  if (!fd.valid() && errno == EACCES) {
    fchmodat(directory, name, 0700, AT_SYMLINK_NOFOLLOW);
    fd.Reset(OpenDirectory(directory, name));
  }
  if (!fd.valid()) return errno;
  disk::DirectoryListing listing;
  const int error = listing.Read(fd.get());
  if (error != 0) return error;
  if (!listing.names().empty()) fchmod(fd.get(), 0700);
  for (const disk::DirectoryListing::Name& child : listing.names()) {
    const int failed = RemoveTree(fd.get(), child.text);
    if (failed != 0) return failed;
  }
  return 0;
}

}  // namespace

int RemoveTree(int directory, const char* name) {
  if (unlinkat(directory, name, 0) == 0 || errno == ENOENT) return 0;
  // EISDIR is Linux's answer for a directory, EPERM that of POSIX.
  if (errno != EISDIR && errno != EPERM) return errno;
  const int unlink_error = errno;
  const int error = RemoveContent(directory, name);
  if (error == ENOTDIR || error == ELOOP) return unlink_error;
  if (error != 0 && error != ENOENT) return error;
  if (unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
  return errno;
}

}  // namespace depot::disk
