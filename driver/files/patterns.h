#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/files/glob.h"

namespace depot::files {

/// A list of .dockerignore lines, compiled (moby/patternmatcher, MatchesUsingParentResults): a line
/// with "!" is an exception; the last line that matches a path or one of its parents decides; lines
/// that could not change what the lines before them decided for a path are not looked at, nor
/// remembered for what is below it. Immutable: any thread may use it.
class PatternSet {
 public:
  /// What the children of a directory inherit from it. Belongs to the set that made it.
  struct Directory {
    bool matched = false;  ///< the directory itself matches the set
    bool settled = false;  ///< so does, or does not, everything below: nothing can change it
    std::vector<Glob::Progress> progress;  ///< by pattern; empty when the parent was settled
    std::vector<char> hit;  ///< by pattern: it matched the directory or a parent; the same
  };

  /// Blank patterns are skipped. A malformed one is kInvalid and named.
  static Result<PatternSet> Compile(const std::vector<std::string>& patterns);

  std::size_t size() const { return patterns_.size(); }

  /// The state of the tree's root, which never matches.
  Directory Root() const;

  /// Whether the set matches the file at `path`, whose name starts at `name_at`.
  bool MatchesFile(const Directory& parent, std::string_view path, std::size_t name_at) const;

  /// The same for a directory, and fills `self` (reusing its memory) for its children.
  bool MatchesDirectory(const Directory& parent,
                        std::string_view path,
                        std::size_t name_at,
                        Directory& self) const;

  /// Whether the set matches `path`, with all its parents considered from the root down.
  bool Matches(std::string_view path) const;

  /// What the lines say of a directory that is looked into although one of them excludes it, or all
  /// that is in it.
  struct LookedInto {
    std::string excluding;  ///< the last line that does so, as written; "" = none does
    std::string exception;  ///< the line behind it that lets something in, with "!"; "" = none
  };

  /// `self` is what MatchesDirectory() made of the directory `path`. For messages: not fast.
  LookedInto WhyLookedInto(const Directory& self, std::string_view path) const;

 private:
  struct Pattern {
    std::string text;  ///< without "!"
    Glob glob;
    bool exception = false;
  };
  bool CanChangeBelow(const Directory& directory, std::size_t after) const;

  std::vector<Pattern> patterns_;
};

}  // namespace depot::files
