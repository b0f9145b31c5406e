#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "driver/git/blob.h"

namespace depot::git {

/// What the file system says of a file, as far as an index has it too.
struct IndexedState {
  std::uint32_t mode = 0;  ///< st_mode
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

/// The index of a checkout (gitformat-index(5), versions 2 to 4): which blob each file was when git
/// last looked, and how the file looked then. Any thread.
class Index {
 public:
  /// `written_ns` is the modification time of the index file: what was written to a file since, or
  /// shortly before, may have gone unseen, as git has it ("racily clean"). `bytes` may be a
  /// stranger's: kInvalid for what is malformed, or larger than any checkout; kUnsupported for a
  /// split index. Memory stays within a small multiple of `bytes`.
  static Result<std::unique_ptr<const Index>> Parse(std::string bytes,
                                                    ObjectFormat format,
                                                    std::int64_t written_ns);

  /// The blob's name, raw bytes, of the regular file at `path` (relative to the working tree) when
  /// it still is what git saw; "" when it is not, or git does not know it. Valid as long as *this.
  std::string_view Find(std::string_view path, const IndexedState& state) const;

  /// Files below the folder `prefix` ("" = all), and the sum of their sizes.
  struct Extent {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
  };
  Extent ExtentOf(std::string_view prefix) const;

  /// The .gitattributes files that are in the index, at most 1000.
  const std::vector<std::string>& attribute_files() const { return attribute_files_; }

 private:
  friend class IndexParser;
  /// Where an entry's parts are.
  struct Entry {
    std::uint64_t path_at = 0;  ///< in paths_
    std::uint32_t path_size = 0;
    std::uint64_t stat_at = 0;  ///< in bytes_: its fixed part
  };

  std::string_view PathOf(const Entry& entry) const {
    return std::string_view(paths_).substr(entry.path_at, entry.path_size);
  }
  bool Fits(const Entry& entry, const IndexedState& state) const;
  Result<> BuildTable();

  std::string bytes_;
  std::string paths_;
  std::size_t name_size_ = 0;
  std::int64_t written_ns_ = 0;
  std::vector<Entry> entries_;        ///< regular files whose state counts
  std::vector<std::uint32_t> table_;  ///< open hash table: 1 + an index in entries_; 0 = free
  std::vector<std::string> attribute_files_;
};

/// The checkout that holds `directory`, and what its index says.
struct IndexedCheckout {
  std::string root;  ///< of the working tree; absolute, without symlinks
  ObjectFormat format = ObjectFormat::kSha1;
  std::unique_ptr<const Index> index;  ///< null: there is none that can be used
  std::string reason;                  ///< why it cannot be used; ""
};

/// Reads it; nothing there is run, waited for, or followed out of the checkout's own folder. root
/// is "" when `directory` is in no checkout. kUnsupported in `reason`: files there are not what the
/// index names, since a filter converts them. An Error: the checkout itself cannot be read.
Result<IndexedCheckout> ReadIndexOf(const std::string& directory);

}  // namespace depot::git
