#include "driver/disk/read_file.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/base/fd.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::disk {
namespace {

/// What is asked for at once when the size is not known: little at first, since memory that is
/// asked for is touched, and most of what is read so is a few lines (/proc, pipes).
constexpr std::size_t kFirstBlock = 4 << 10;
constexpr std::size_t kBlock = 64 << 10;
constexpr std::size_t kMostIfThere = 16 << 20;

/// A named pipe in the place of a file does not make us wait for its writer here.
Fd OpenForReading(const std::string& path) {
  return Fd(::open(path.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
}

/// `cancel` null: what is not there yet is not waited for.
Result<std::string> Read(int fd,
                         const std::string& shown,
                         std::size_t limit,
                         const Cancel* cancel) {
  std::string content;
  struct stat st {};
  const bool sized = ::fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
  std::size_t block = kFirstBlock;
  if (sized && st.st_size > 0)
    block = std::min<std::size_t>(static_cast<std::size_t>(st.st_size), limit) + 1;
  while (true) {
    if (!sized && cancel != nullptr) TRY(WaitForFd(fd, POLLIN, *cancel));
    const std::size_t used = content.size();
    content.resize(used + block);
    const ssize_t got = ::read(fd, content.data() + used, block);
    const int error = errno;
    content.resize(used + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && error == EINTR) continue;
    if (got < 0 && error == EAGAIN && cancel != nullptr) continue;
    if (got == 0 || (got < 0 && error == EAGAIN)) return content;
    if (got < 0) return Fail(SystemError(Cat("read ", shown), error));
    if (content.size() > limit) {
      return Fail(ErrorCode::kInvalid,
                  Cat(shown, " is larger than the ", limit, " bytes that are allowed"));
    }
    block = std::clamp(content.size(), kFirstBlock, kBlock);
  }
}

}  // namespace

Result<std::string> ReadWholeFile(const std::string& path,
                                  std::size_t limit,
                                  const Cancel& cancel) {
  const std::string shown = Printable(path);
  const Fd fd = OpenForReading(path);
  if (!fd.valid()) return Fail(SystemError(Cat("open ", shown), errno));
  return ReadOpenFile(fd.get(), shown, limit, cancel);
}

Result<std::string> ReadOpenFile(int fd,
                                 const std::string& shown,
                                 std::size_t limit,
                                 const Cancel& cancel) {
  return Read(fd, shown, limit, &cancel);
}

Result<std::optional<std::string>> ReadFileIfThere(const std::string& path) {
  const std::string shown = Printable(path);
  const Fd fd = OpenForReading(path);
  if (!fd.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>();
    return Fail(SystemError(Cat("cannot read ", shown), errno));
  }
  TRY_ASSIGN(std::string content, Read(fd.get(), shown, kMostIfThere, nullptr));
  return std::optional(std::move(content));
}

}  // namespace depot::disk
