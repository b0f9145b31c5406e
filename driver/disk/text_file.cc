#include "driver/disk/text_file.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "driver/base/fd.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::disk {

Result<std::optional<std::string>> ReadTextFile(const std::string& path) {
  constexpr std::size_t kMaxSize = 16 << 20;
  std::string what = Cat("cannot read ", Printable(path));
  // A named pipe in its place must not make us wait for a writer.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<std::string>();
    return Fail(SystemError(what, errno));
  }
  std::string content;
  char buffer[16384];
  while (true) {
    ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got == 0) return std::optional(std::move(content));
    if (got < 0 && errno != EINTR) return Fail(SystemError(what, errno));
    if (got > 0) content.append(buffer, static_cast<std::size_t>(got));
    if (content.size() > kMaxSize) {
      return Fail(ErrorCode::kInvalid, Cat(what, ": larger than 16 MiB"));
    }
  }
}

}  // namespace depot::disk
