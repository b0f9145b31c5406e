#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "driver/files/tree.h"

namespace depot::files {

/// Sums up what of a tree lies in folders that images hardly ever need: what version control, a
/// package manager or a compiler keeps there. They are known by name, or by a CACHEDIR.TAG
/// (bford.info/cachedir). One thread.
class Clutter {
 public:
  Clutter() = default;
  Clutter(const Clutter&) = delete;
  Clutter& operator=(const Clutter&) = delete;

  /// Takes the entries in the order of FileTree::Walk().
  void See(const FileEntry& entry);

  std::uint64_t bytes() const;

  /// The largest of the folders, at most three, for people: "web/node_modules and .git".
  std::string Names() const;

 private:
  void Enter(std::string_view folder);

  std::map<std::string, std::uint64_t> folders_;  ///< bytes, by path with its '/'
  /// The one that was entered last; null = none yet.
  std::pair<const std::string, std::uint64_t>* current_ = nullptr;
};

}  // namespace depot::files
