#include "driver/disk/directory_listing.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>

#include <dirent.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace depot::disk {
namespace {

// struct linux_dirent64 of getdents64(2).
struct Record {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  std::uint8_t type;
};
constexpr std::size_t kNameAt = offsetof(Record, type) + 1;
constexpr std::size_t kFirstRead = 32 << 10;

}  // namespace

int DirectoryListing::Read(int fd) {
  names_.clear();
  std::size_t used = 0;
  while (true) {
    if (bytes_.size() - used < kFirstRead) bytes_.resize(std::max(2 * used, kFirstRead) + used);
    const long got = syscall(SYS_getdents64, fd, bytes_.data() + used, bytes_.size() - used);
    if (got < 0) return errno;
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  for (std::size_t at = 0; at < used;) {
    Record record;
    std::memcpy(&record, bytes_.data() + at, sizeof record);
    const char* text = bytes_.data() + at + kNameAt;
    const std::string_view name(text);
    if (name != "." && name != "..") {
      names_.push_back({text, static_cast<std::uint16_t>(name.size()), record.type});
    }
    at += record.length;
  }
  std::sort(names_.begin(), names_.end(), [](const Name& a, const Name& b) {
    return std::string_view(a.text, a.length) < std::string_view(b.text, b.length);
  });
  return 0;
}

}  // namespace depot::disk
