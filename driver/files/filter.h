#pragma once

#include <string_view>

#include "driver/files/patterns.h"
#include "driver/files/tree.h"

namespace depot::files {

/// Decides what of a tree is wanted: what the include patterns match (all of it when there are
/// none) without what the exclude patterns match (fsutil filter.go). Immutable: any thread may use
/// it.
class Filter {
 public:
  /// What deciding about a directory leaves for its children.
  struct Directory {
    PatternSet::Directory include;
    PatternSet::Directory exclude;
    bool wanted = false;   ///< the directory itself
    bool descend = false;  ///< something below it may be wanted
  };

  /// `followed` is what ResolveFollowPaths() made of `filter.follow`. kInvalid names the malformed
  /// pattern.
  static Result<Filter> Compile(const TreeFilter& filter, const std::vector<std::string>& followed);

  Directory Root() const;

  /// `path` is the file's whole path, its name starts at `name_at`.
  bool WantsFile(const Directory& parent, std::string_view path, std::size_t name_at) const {
    return (!has_include_ || include_.MatchesFile(parent.include, path, name_at)) &&
           !exclude_.MatchesFile(parent.exclude, path, name_at);
  }

  /// Fills `self`, reusing its memory.
  void EnterDirectory(const Directory& parent,
                      std::string_view path,
                      std::size_t name_at,
                      Directory& self) const;

  /// What a user can do when the directory `path`, of which EnterDirectory() made `self`, cannot be
  /// read: why it has to be, when the ignore file seems to say otherwise.
  std::string HintOfUnreadable(const Directory& self, std::string_view path) const;

 private:
  bool has_include_ = false;
  PatternSet include_;
  PatternSet exclude_;
};

}  // namespace depot::files
