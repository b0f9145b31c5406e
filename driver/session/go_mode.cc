#include "driver/session/go_mode.h"

#include <sys/stat.h>

#include "driver/base/text.h"

namespace depot::session {
namespace {

constexpr std::uint32_t kGoTypeMask =
    kGoDirectory | kGoSymlink | kGoDevice | kGoFifo | kGoSocket | kGoCharDevice | kGoIrregular;

std::uint32_t GoType(std::uint32_t st_mode) {
  switch (st_mode & S_IFMT) {
    case S_IFDIR:
      return kGoDirectory;
    case S_IFLNK:
      return kGoSymlink;
    case S_IFIFO:
      return kGoFifo;
    case S_IFCHR:
      return kGoDevice | kGoCharDevice;
    case S_IFBLK:
      return kGoDevice;
    default:
      return 0;
  }
}

}  // namespace

std::uint32_t ToGoMode(std::uint32_t st_mode) {
  std::uint32_t mode = (st_mode & 0777U) | GoType(st_mode);
  if ((st_mode & S_ISUID) != 0) mode |= kGoSetuid;
  if ((st_mode & S_ISGID) != 0) mode |= kGoSetgid;
  if ((st_mode & S_ISVTX) != 0) mode |= kGoSticky;
  return mode;
}

Result<std::uint32_t> FromGoMode(std::uint32_t go_mode) {
  std::uint32_t mode = go_mode & 0777U;
  if ((go_mode & kGoSetuid) != 0) mode |= S_ISUID;
  if ((go_mode & kGoSetgid) != 0) mode |= S_ISGID;
  if ((go_mode & kGoSticky) != 0) mode |= S_ISVTX;
  switch (go_mode & kGoTypeMask) {
    case 0:
      return mode | S_IFREG;
    case kGoDirectory:
      return mode | S_IFDIR;
    case kGoSymlink:
      return mode | S_IFLNK;
    case kGoFifo:
      return mode | S_IFIFO;
    case kGoDevice | kGoCharDevice:
      return mode | S_IFCHR;
    case kGoDevice:
      return mode | S_IFBLK;
    default:
      return Fail(ErrorCode::kInvalid, Cat("unknown kind of file (mode ", go_mode, ")"));
  }
}

}  // namespace depot::session
