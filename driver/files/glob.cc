#include "driver/files/glob.h"

#include <algorithm>
#include <optional>

#include "driver/base/text.h"

namespace depot::files {
namespace {

// Bytes that are not part of valid UTF-8 become "runes" beyond Unicode, so that two different ones
// never match each other.
constexpr std::uint32_t kByteRunes = 0x110000;
constexpr std::size_t kMaxParts = 64;

struct Rune {
  std::uint32_t value;
  std::size_t length;
};

Rune DecodeRune(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 && first <= 0xF4   ? 4
                             : first >= 0xE0 && first <= 0xEF ? 3
                             : first >= 0xC2 && first <= 0xDF ? 2
                                                              : 0;
  const Rune invalid{kByteRunes + first, 1};
  if (length == 0 || text.size() < length) return invalid;
  std::uint32_t value = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return invalid;
    value = value << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (overlong || surrogate || value > 0x10FFFF) return invalid;
  return {value, length};
}

}  // namespace

/// Turns the text of a pattern into tokens; the grammar of Go's path/filepath Match, and `**`.
class Glob::Parser {
 public:
  explicit Parser(std::string_view rest) : rest_(rest) {}

  Result<std::vector<Token>> Parse() {
    while (!rest_.empty()) {
      const char c = Take();
      switch (c) {
        case '/':
          tokens_.push_back({TokenKind::kSlash, false, "", {}});
          break;
        case '?':
          tokens_.push_back({TokenKind::kOne, false, "", {}});
          break;
        case '*':
          AddStar();
          break;
        case '[':
          TRY(AddClass());
          break;
        case '\\':
          if (rest_.empty()) return Fail(ErrorCode::kInvalid, "it ends in a lone backslash");
          AddText(Take());
          break;
        default:
          AddText(c);
      }
    }
    return std::move(tokens_);
  }

 private:
  char Take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  void AddText(char c) {
    if (c == '/') {
      tokens_.push_back({TokenKind::kSlash, false, "", {}});
      return;
    }
    if (tokens_.empty() || tokens_.back().kind != TokenKind::kText) tokens_.emplace_back();
    tokens_.back().text.push_back(c);
  }

  void AddStar() {
    if (rest_.starts_with('*')) {
      rest_.remove_prefix(1);
      tokens_.push_back({TokenKind::kStarStar, false, "", {}});
    } else if (tokens_.empty() || tokens_.back().kind != TokenKind::kStar) {
      tokens_.push_back({TokenKind::kStar, false, "", {}});
    }
  }

  Result<> AddClass() {
    Token token{TokenKind::kClass, false, "", {}};
    if (rest_.starts_with('^')) {
      token.negated = true;
      rest_.remove_prefix(1);
    }
    while (token.ranges.empty() || !rest_.starts_with(']')) {
      TRY_ASSIGN(const std::uint32_t low, ClassRune());
      std::uint32_t high = low;
      if (rest_.starts_with('-')) {
        rest_.remove_prefix(1);
        TRY_ASSIGN(high, ClassRune());
      }
      if (high < low) return Fail(ErrorCode::kInvalid, "a range in [ ] runs backwards");
      token.ranges.emplace_back(low, high);
    }
    rest_.remove_prefix(1);
    tokens_.push_back(std::move(token));
    return {};
  }

  Result<std::uint32_t> ClassRune() {
    if (rest_.empty()) return Fail(ErrorCode::kInvalid, "a [ is not closed by a ]");
    if (rest_.front() == '-') return Fail(ErrorCode::kInvalid, "a range in [ ] lacks one end");
    if (rest_.front() == ']') return Fail(ErrorCode::kInvalid, "the [ ] is empty or a range is");
    if (rest_.front() == '\\') rest_.remove_prefix(1);
    if (rest_.empty()) return Fail(ErrorCode::kInvalid, "it ends in a lone backslash");
    const Rune rune = DecodeRune(rest_);
    rest_.remove_prefix(rune.length);
    if (rest_.empty()) return Fail(ErrorCode::kInvalid, "a [ is not closed by a ]");
    return rune.value;
  }

  std::string_view rest_;
  std::vector<Token> tokens_;
};

bool Glob::Token::InClass(std::uint32_t rune) const {
  const bool in = std::any_of(ranges.begin(), ranges.end(), [rune](const auto& range) {
    return range.first <= rune && rune <= range.second;
  });
  return in != negated;
}

/// The end of the match of a text, ? or class at `at`; npos when there is none.
std::size_t Glob::Advance(const Token& token, std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  if (token.kind == TokenKind::kText) {
    return rest.starts_with(token.text) ? at + token.text.size() : std::string_view::npos;
  }
  if (rest.empty()) return std::string_view::npos;
  if (token.kind == TokenKind::kSlash) return rest[0] == '/' ? at + 1 : std::string_view::npos;
  const Rune rune = DecodeRune(rest);
  const bool match = token.kind == TokenKind::kOne ? rune.value != '/' : token.InClass(rune.value);
  return match ? at + rune.length : std::string_view::npos;
}

bool Glob::Part::Matches(std::string_view name) const {
  switch (kind) {
    case Kind::kText:
      return name == text;
    case Kind::kPrefixSuffix:
      return name.size() >= text.size() + suffix.size() && name.starts_with(text) &&
             name.ends_with(suffix);
    case Kind::kTokens:
      return MatchesTokens(name);
    case Kind::kAnyDepth:
      return true;
  }
  return false;
}

bool Glob::Part::MatchesTokens(std::string_view name) const {
  // A star first takes nothing; on a later mismatch only the last star has to give: an earlier one
  // taking more could not help. That bounds the work.
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t token = 0;
  std::size_t at = 0;
  std::size_t star = kNone;
  std::size_t star_end = 0;
  while (true) {
    if (token == tokens.size() && at == name.size()) return true;
    if (token < tokens.size() && tokens[token].kind == TokenKind::kStar) {
      star = token++;
      star_end = at;
      continue;
    }
    const std::size_t end = token < tokens.size() ? Advance(tokens[token], name, at) : kNone;
    if (end != kNone) {
      at = end;
      ++token;
      continue;
    }
    if (star == kNone || star_end == name.size()) return false;
    star_end += DecodeRune(name.substr(star_end)).length;
    at = star_end;
    token = star + 1;
  }
}

Glob::Part Glob::MakePart(std::vector<Token> tokens) {
  Part part;
  const auto is = [&](std::size_t i, TokenKind kind) { return tokens[i].kind == kind; };
  const std::size_t stars = std::count_if(tokens.begin(), tokens.end(), [](const Token& token) {
    return token.kind == TokenKind::kStar;
  });
  const std::size_t texts = std::count_if(tokens.begin(), tokens.end(), [](const Token& token) {
    return token.kind == TokenKind::kText;
  });
  if (stars > 1 || stars + texts < tokens.size()) {
    part.kind = Part::Kind::kTokens;
    part.tokens = std::move(tokens);
    return part;
  }
  if (stars == 1) part.kind = Part::Kind::kPrefixSuffix;
  bool after_star = false;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (is(i, TokenKind::kStar)) {
      after_star = true;
    } else {
      (after_star ? part.suffix : part.text) += tokens[i].text;
    }
  }
  return part;
}

/// False when the pattern cannot be cut at its slashes.
bool Glob::BuildParts(const std::vector<Token>& tokens) {
  std::vector<std::vector<Token>> pieces(1);
  for (const Token& token : tokens) {
    if (token.kind == TokenKind::kSlash) {
      pieces.emplace_back();
    } else {
      pieces.back().push_back(token);
    }
  }
  for (std::vector<Token>& piece : pieces) {
    if (!piece.empty() && piece.front().kind == TokenKind::kStarStar) {
      // "**x" is "**/x".
      Part any;
      any.kind = Part::Kind::kAnyDepth;
      parts_.push_back(std::move(any));
      piece.erase(piece.begin());
      if (piece.empty()) continue;
    }
    const bool cuttable = std::none_of(piece.begin(), piece.end(), [](const Token& token) {
      return token.kind == TokenKind::kStarStar ||
             (token.kind == TokenKind::kClass && token.InClass('/'));
    });
    if (!cuttable) return false;
    parts_.push_back(MakePart(std::move(piece)));
  }
  return parts_.size() <= kMaxParts;
}

void Glob::BuildWhole(const std::vector<Token>& tokens) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    Token token = tokens[i];
    if (token.kind == TokenKind::kStarStar) {
      if (i + 1 < tokens.size() && tokens[i + 1].kind == TokenKind::kSlash) ++i;
      token.kind = i + 1 == tokens.size() ? TokenKind::kAnything : TokenKind::kAnyDirs;
    }
    tokens_.push_back(std::move(token));
  }
}

void Glob::Build(const std::vector<Token>& tokens) {
  if (!BuildParts(tokens)) {
    parts_.clear();
    whole_path_ = true;
    BuildWhole(tokens);
    start_ = 1;
    return;
  }
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    // "**" before something may also stand for no directory at all.
    Progress bits = 0;
    std::size_t next = i;
    while (next + 1 < parts_.size() && parts_[next].kind == Part::Kind::kAnyDepth) {
      bits |= Progress{1} << next++;
    }
    entering_.push_back(bits | Progress{1} << next);
  }
  start_ = entering_.front();
}

Result<Glob> Glob::Compile(std::string_view pattern) {
  TRY_ASSIGN(std::vector<Token> tokens, Parser(pattern).Parse());
  // moby/patternmatcher takes a leading "**" before plain text as "ends with", so that "**.log" is
  // every name that ends in .log, while "**log*" is "**/log*".
  const bool ends_with = pattern.starts_with("**") && pattern.size() > 2 && pattern[2] != '/' &&
                         pattern.find_first_of("*?[]\\", 2) == std::string_view::npos;
  Glob glob;
  if (ends_with && pattern.find('/') == std::string_view::npos) {
    const Token star{TokenKind::kStar, false, "", {}};
    tokens.insert(tokens.begin() + 1, star);
  } else if (ends_with) {
    tokens.front().kind = TokenKind::kAnything;
    glob.whole_path_ = true;
    glob.tokens_ = std::move(tokens);
    glob.start_ = 1;
    return glob;
  }
  glob.Build(tokens);
  return glob;
}

Glob::Progress Glob::Enter(Progress progress, std::string_view name) const {
  if (whole_path_) return progress;
  Progress below = 0;
  for (Progress rest = progress; rest != 0; rest &= rest - 1) {
    const auto i = static_cast<std::size_t>(__builtin_ctzll(rest));
    if (parts_[i].kind == Part::Kind::kAnyDepth) {
      below |= entering_[i];
    } else if (i + 1 < parts_.size() && parts_[i].Matches(name)) {
      below |= entering_[i + 1];
    }
  }
  return below;
}

/// reached[i]: the tokens before can match the first i bytes. Becomes the same with `token`.
void Glob::Spread(const Token& token, std::string_view path, std::vector<char>& reached) {
  switch (token.kind) {
    case TokenKind::kStar:
      for (std::size_t i = 0; i < path.size(); ++i) {
        if (reached[i] == 0 || path[i] == '/') continue;
        reached[i + DecodeRune(path.substr(i)).length] = 1;
      }
      return;
    case TokenKind::kAnything:
    case TokenKind::kAnyDirs: {
      auto i =
          static_cast<std::size_t>(std::find(reached.begin(), reached.end(), 1) - reached.begin());
      while (i < path.size()) {
        i += DecodeRune(path.substr(i)).length;
        if (token.kind == TokenKind::kAnything || path[i - 1] == '/') reached[i] = 1;
      }
      return;
    }
    default: {
      std::vector<char> next(reached.size(), 0);
      for (std::size_t i = 0; i < reached.size(); ++i) {
        if (reached[i] == 0) continue;
        const std::size_t end = Advance(token, path, i);
        if (end != std::string_view::npos) next[end] = 1;
      }
      reached = std::move(next);
    }
  }
}

bool Glob::MatchesWhole(std::string_view path) const {
  std::vector<char> reached(path.size() + 1, 0);
  reached[0] = 1;
  for (const Token& token : tokens_)
    Spread(token, path, reached);
  return reached[path.size()] != 0;
}

}  // namespace depot::files
