#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/result.h"

namespace depot::files {

/// One pattern of .dockerignore syntax without its "!", compiled (moby/patternmatcher, Go
/// path/filepath Match): `*` and `?` stop at "/", `[a-z]` `[^a]`, `\x`, and `**` for any number of
/// directories. Text is bytes; `?` and classes take a whole UTF-8 rune, or one byte where the text
/// is not UTF-8. Immutable: any thread may use it. Matching costs at most the product of the two
/// lengths, whatever the pattern.
///
/// Most patterns are matched name by name on the way down a tree: a Progress says which parts of
/// the pattern the path so far can have used up, and only the next name has to be looked at.
class Glob {
 public:
  /// Bit i: the path so far matches the parts before part i. 0: nothing below can match.
  using Progress = std::uint64_t;

  /// `pattern` must be cleaned (no "./", no "//"). kInvalid says what is wrong, not in which
  /// pattern.
  static Result<Glob> Compile(std::string_view pattern);

  Progress Start() const { return start_; }

  /// Whether the path matches. `progress` is that of its parent; the name starts at `name_at`.
  bool Matches(Progress progress, std::string_view path, std::size_t name_at) const {
    if (whole_path_) return MatchesWhole(path);
    if ((progress >> (parts_.size() - 1) & 1) == 0) return false;
    return parts_.back().Matches(path.substr(name_at));
  }

  /// The progress of the directory `name` below one with `progress`.
  Progress Enter(Progress progress, std::string_view name) const;

  /// For a pattern of a single part, as a component of a followed path: does `name` match?
  bool MatchesName(std::string_view name) const { return Matches(start_, name, 0); }

 private:
  enum class TokenKind : std::uint8_t {
    kText,
    kSlash,
    kOne,       // ?
    kClass,     // [...]
    kStar,      // *
    kStarStar,  // ** as written
    kAnything,  // any text, slashes included
    kAnyDirs,   // nothing, or any text that ends in a slash
  };
  struct Token {
    TokenKind kind = TokenKind::kText;
    bool negated = false;  // of a class
    std::string text;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;  // of a class, inclusive

    bool InClass(std::uint32_t rune) const;
  };
  struct Part {
    enum class Kind : std::uint8_t { kText, kPrefixSuffix, kTokens, kAnyDepth };
    Kind kind = Kind::kText;
    std::string text;    // the text, or what the name starts with
    std::string suffix;  // what it ends with, beyond `text`
    std::vector<Token> tokens;

    bool Matches(std::string_view name) const;
    bool MatchesTokens(std::string_view name) const;
  };
  class Parser;

  static std::size_t Advance(const Token& token, std::string_view text, std::size_t at);
  static Part MakePart(std::vector<Token> tokens);

  void Build(const std::vector<Token>& tokens);
  bool BuildParts(const std::vector<Token>& tokens);
  void BuildWhole(const std::vector<Token>& tokens);
  bool MatchesWhole(std::string_view path) const;
  static void Spread(const Token& token, std::string_view path, std::vector<char>& reached);

  bool whole_path_ = false;  // tokens_ are matched with the whole path; parts_ is empty
  std::vector<Token> tokens_;
  std::vector<Part> parts_;
  std::vector<Progress> entering_;  // by part: the bits to set when it becomes the next one
  Progress start_ = 0;
};

}  // namespace depot::files
