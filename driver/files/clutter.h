#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "driver/files/tree.h"

namespace depot::files {

/// Sums up what of a tree lies in folders that images hardly ever need: what version control, a
/// package manager or a compiler keeps there. They are known by name, or by a CACHEDIR.TAG
/// (bford.info/cachedir). One thread.
class Clutter {
 public:
  /// Takes the entries in the order of FileTree::Walk().
  void See(const FileEntry& entry);

  std::uint64_t bytes() const { return bytes_; }

  /// The largest of the folders, at most three, for people: "web/node_modules and .git".
  std::string Names() const;

 private:
  void Enter(std::string_view folder);

  std::string current_;  ///< the folder that was entered last, with its '/'; "" = none yet
  std::map<std::string, std::uint64_t, std::less<>> folders_;  ///< bytes, by path
  std::uint64_t bytes_ = 0;
};

}  // namespace depot::files
