#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"

namespace depot::session {

/// Compares two cleaned relative paths in fsutil's order: by byte, with '/' below every other byte,
/// so that a directory's content follows it directly. Negative, zero or positive.
int ComparePaths(std::string_view a, std::string_view b);

/// kDenied when `path` is not a cleaned relative path: empty, absolute, with "." or ".." or empty
/// components, or with a NUL byte.
Result<> CheckRelativePath(std::string_view path);

/// The entries of one listing, numbered in their order. Millions of entries are normal, so paths
/// are stored as what differs from the path before: about a file name each. One thread at a time.
class EntryTable {
 public:
  /// What an entry is to the transfer. Only kFile and kEmptyFile can be asked for; kEmptyFile is a
  /// socket, sent as a file without content. kLink is a later name of a file.
  enum class Kind : std::uint8_t { kDirectory, kFile, kEmptyFile, kLink, kOther };

  static constexpr std::size_t kMaxEntries = 1U << 24;

  /// The new entry's number. kInvalid beyond kMaxEntries.
  Result<std::uint32_t> Add(std::string_view path, Kind kind);

  std::size_t size() const { return kinds_.size(); }
  Kind kind(std::uint32_t id) const { return static_cast<Kind>(kinds_[id] & ~kClaimed); }
  std::string PathOf(std::uint32_t id) const;

  /// The entry with this path; needs paths that were added in ComparePaths() order.
  std::optional<std::uint32_t> Find(std::string_view path) const;

  /// Marks a file as asked for; false when there is no such file or it was asked for before.
  bool Claim(std::uint32_t id);

 private:
  static constexpr std::uint8_t kClaimed = 0x80;
  static constexpr std::uint32_t kGroup = 16;  ///< entries that are decoded to get at one path

  void Decode(std::size_t& offset, std::string& path) const;
  std::string_view GroupHead(std::size_t group) const;

  std::vector<std::uint8_t> kinds_;
  std::vector<std::uint64_t> groups_;  ///< where in bytes_ every kGroup-th entry starts
  std::string bytes_;                  ///< per entry: shared length, rest's length, rest
  std::string last_;
};

}  // namespace depot::session
