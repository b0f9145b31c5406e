#include "driver/disk/rewrite_file.h"

#include <cerrno>
#include <climits>
#include <cstdlib>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/fd.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/pending_file.h"
#include "driver/disk/read_file.h"
#include "driver/disk/whole_file.h"

namespace depot::disk {
namespace {

constexpr mode_t kPermissions = 07777;

/// Nobody else may see the content before it is his who owned the old file.
Result<> FillLike(const PendingFile& file,
                  const struct stat& old,
                  std::string_view content,
                  const std::string& shown) {
  int error = WriteAll(file.fd(), content);
  struct stat made {};
  if (error == 0 && fstat(file.fd(), &made) != 0) error = errno;
  if (error == 0 && (made.st_uid != old.st_uid || made.st_gid != old.st_gid) &&
      fchown(file.fd(), old.st_uid, old.st_gid) != 0) {
    return Fail(Error(ErrorCode::kDenied, Cat(shown,
                                              " belongs to another user or group, and what "
                                              "replaces it could not"))
                    .WithHint("run this as its owner, or as root"));
  }
  if (error == 0 && fchmod(file.fd(), old.st_mode & kPermissions) != 0) error = errno;
  if (error == 0 && fsync(file.fd()) != 0) error = errno;
  return error == 0 ? Result<>() : Fail(SystemError(Cat("write ", shown), error));
}

}  // namespace

Result<bool> RewriteFile(const std::string& path, std::string_view old, std::string_view content) {
  const std::string shown = Printable(path);
  char resolved[PATH_MAX];
  if (realpath(path.c_str(), resolved) == nullptr)
    return Fail(SystemError(Cat("open ", shown), errno));
  const std::string real = resolved;
  const std::size_t slash = real.rfind('/');
  Fd directory(open(real.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat st {};
  if (!directory.valid() || stat(real.c_str(), &st) != 0)
    return Fail(SystemError(Cat("open ", shown), errno));
  if (!S_ISREG(st.st_mode)) return Fail(ErrorCode::kInvalid, Cat(shown, " is no regular file"));
  if (faccessat(AT_FDCWD, real.c_str(), W_OK, AT_EACCESS) != 0) {
    return Fail(SystemError(Cat("write to ", shown), errno));
  }
  PendingFile file;
  if (const int error = file.Create(directory.get(), 0600); error != 0) {
    return Fail(SystemError(Cat("write beside ", Printable(real)), error));
  }
  TRY(FillLike(file, st, content, shown));
  TRY_ASSIGN(const auto now, ReadFileIfThere(real));
  if (!now || *now != old) return false;
  const int error = file.Commit(real.substr(slash + 1));
  if (error != 0) return Fail(SystemError(Cat("write ", shown), error));
  return true;
}

}  // namespace depot::disk
