#pragma once

#include <mutex>
#include <set>
#include <string>
#include <utility>

#include <sys/types.h>

struct stat;

namespace depot::disk {

/// Who reads what gives its content once, a pipe or a socket: the first that asks. Any thread.
class PipeClaims {
 public:
  /// Whether what lies at `path` may be read now: not when it is a pipe that was claimed before.
  /// Whatever else is there, or is not there, is for all.
  bool Claim(const std::string& path);

  /// The same of what is open already.
  bool Claim(int fd);

 private:
  bool ClaimWhat(const struct stat& status);

  std::mutex mutex_;
  std::set<std::pair<dev_t, ino_t>> claimed_;
};

}  // namespace depot::disk
