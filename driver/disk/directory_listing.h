#pragma once

#include <cstdint>
#include <vector>

namespace depot::disk {

/// The names in a directory, sorted by byte, without "." and "..".
class DirectoryListing {
 public:
  /// One directory entry, as the kernel lists it; it is not looked up.
  struct Name {
    const char* text = nullptr;  ///< ends in NUL; lives until the next Read()
    std::uint16_t length = 0;
    std::uint8_t type = 0;  ///< DT_*; DT_UNKNOWN where the filesystem does not say
  };

  /// Reads the directory `fd` from its beginning and reuses the memory of the last time. 0, or the
  /// errno.
  int Read(int fd);

  const std::vector<Name>& names() const { return names_; }

 private:
  std::vector<char> bytes_;  // what getdents64 gave; names_ point into it
  std::vector<Name> names_;
};

}  // namespace depot::disk
