#pragma once

#include <cstdint>

#include "driver/base/result.h"

namespace depot::session {

/// Go's os.FileMode bits, which are what a Stat carries (Go io/fs, FileMode).
constexpr std::uint32_t kGoDirectory = 1U << 31;
constexpr std::uint32_t kGoSymlink = 1U << 27;
constexpr std::uint32_t kGoDevice = 1U << 26;
constexpr std::uint32_t kGoFifo = 1U << 25;
constexpr std::uint32_t kGoSocket = 1U << 24;
constexpr std::uint32_t kGoSetuid = 1U << 23;
constexpr std::uint32_t kGoSetgid = 1U << 22;
constexpr std::uint32_t kGoCharDevice = 1U << 21;
constexpr std::uint32_t kGoSticky = 1U << 20;
constexpr std::uint32_t kGoIrregular = 1U << 19;

/// POSIX st_mode to Go's os.FileMode. A socket becomes an empty regular file, as fsutil sends it
/// (fsutil send.go).
std::uint32_t ToGoMode(std::uint32_t st_mode);

/// Go's os.FileMode to st_mode. kInvalid for a mode that names no kind of file or several.
Result<std::uint32_t> FromGoMode(std::uint32_t go_mode);

}  // namespace depot::session
