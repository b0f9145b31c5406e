#include "driver/disk/pipe_claims.h"

#include <sys/stat.h>

namespace depot::disk {

bool PipeClaims::Claim(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) != 0 || ClaimWhat(status);
}

bool PipeClaims::Claim(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) != 0 || ClaimWhat(status);
}

bool PipeClaims::ClaimWhat(const struct stat& status) {
  if (!S_ISFIFO(status.st_mode) && !S_ISSOCK(status.st_mode)) return true;
  const std::scoped_lock lock(mutex_);
  return claimed_.emplace(status.st_dev, status.st_ino).second;
}

}  // namespace depot::disk
