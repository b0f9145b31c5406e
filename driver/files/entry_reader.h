#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include <sys/stat.h>
#include <sys/types.h>

#include "driver/files/tree.h"

namespace depot::files {

/// Reads what a FileEntry says from the file system, for one walk: it remembers the inodes it met.
/// One thread at a time.
class EntryReader {
 public:
  /// kVanished: the entry was removed since its directory was listed, which is no error of a walk.
  enum class Outcome { kRead, kVanished };

  /// Fills `entry` (all but the path, which is set already) for `name` in `directory`.
  Result<Outcome> Read(int directory, const char* name, FileEntry& entry);

 private:
  struct Inode {
    dev_t device;
    ino_t number;
    bool operator==(const Inode&) const = default;
  };
  struct InodeHash {
    std::size_t operator()(const Inode& inode) const {
      return std::hash<std::uint64_t>()(inode.number * 31 + inode.device);
    }
  };

  int ReadXattrs(int directory, const char* name, dev_t device, FileEntry& entry);

  std::unordered_map<Inode, std::string, InodeHash> first_names_;  // of files with several names
  std::unordered_set<dev_t> without_xattrs_;  // devices that said they have none
  std::string list_;                          // scratch
  std::string value_;
};

}  // namespace depot::files
