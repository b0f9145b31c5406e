#include "driver/files/beneath.h"

#include <atomic>
#include <cerrno>
#include <climits>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

namespace depot::files {

std::string_view PathDefect(std::string_view path) {
  if (path.empty()) return "the path is empty";
  if (path.front() == '/') return "the path is absolute";
  if (path.find('\0') != std::string_view::npos) return "the path contains a NUL byte";
  if (path.size() >= PATH_MAX) return "the path is too long";
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty()) return "the path has an empty component";
    if (part == "..") return "the path contains \"..\"";
    if (part == ".") return "the path contains \".\"";
    if (part.size() > NAME_MAX) return "a name in the path is too long";
    if (slash == std::string_view::npos) return {};
    path.remove_prefix(slash + 1);
  }
}

int OpenBeneathStepwise(int root, std::string_view path, int flags) {
  Fd directory;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string name(path.substr(0, slash));
    const bool last = slash == std::string_view::npos;
    const int mode = last ? flags : O_PATH | O_DIRECTORY;
    const int fd = openat(directory.valid() ? directory.get() : root, name.c_str(),
                          mode | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -errno;
    if (last) return fd;
    directory.Reset(fd);
    path.remove_prefix(slash + 1);
  }
}

int OpenBeneath(int root, const std::string& path, int flags) {
  // Missing before Linux 5.6; container runtimes of that time answer EPERM to what they do not
  // know.
  static std::atomic<bool> usable = true;
  if (usable.load(std::memory_order_relaxed)) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags) | O_NOFOLLOW | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    const long fd = syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if (errno != ENOSYS && errno != EPERM) return -errno;
    if (errno == ENOSYS) usable = false;
  }
  return OpenBeneathStepwise(root, path, flags);
}

}  // namespace depot::files
