#include "plugin/hcl/scanner.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <unictype.h>
#include <unistr.h>

namespace depot::hcl {

namespace {

constexpr std::array<std::string_view, 31> kSigns = {
    "...", "==", "!=", "<=", ">=", "=>", "&&", "||", "~}", "{", "}", "[", "]", "(", ")", ",",
    ".",   "=",  "<",  ">",  "+",  "-",  "*",  "/",  "%",  "!", "?", ":", "&", "|", "~"};

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

std::size_t Scanner::SkipBlanks(std::size_t at, bool skip_newlines) const {
  while (at < text_.size()) {
    const char c = text_[at];
    const char next = at + 1 < text_.size() ? text_[at + 1] : '\0';
    const bool line_end = c == '\n' || (c == '\r' && next == '\n');
    if (c == ' ' || c == '\t' || (skip_newlines && line_end)) {
      ++at;
    } else if (c == '#' || (c == '/' && next == '/')) {
      // The line end behind a comment counts.
      at = std::min(text_.find('\n', at), text_.size());
    } else if (c == '/' && next == '*') {
      auto end = text_.find("*/", at + 2);
      if (end == std::string_view::npos) return at;
      at = end + 2;
    } else {
      return at;
    }
  }
  return text_.size();
}

std::string_view Scanner::IdentifierAt(std::size_t at) const {
  auto end = at;
  while (end < text_.size()) {
    ucs4_t letter = 0;
    int length = u8_mbtouc(&letter, reinterpret_cast<const std::uint8_t*>(text_.data() + end),
                           text_.size() - end);
    bool first = end == at;
    bool fits = letter == '_' || (first ? uc_is_property_id_start(letter)
                                        : letter == '-' || uc_is_property_id_continue(letter));
    if (!fits || letter == 0xFFFD) break;
    end += static_cast<std::size_t>(length);
  }
  return text_.substr(at, end - at);
}

Token Scanner::Number(std::size_t at) const {
  auto end = at;
  auto digits = [&] {
    while (end < text_.size() && IsDigit(text_[end]))
      ++end;
  };
  auto digit_at = [&](std::size_t place) { return place < text_.size() && IsDigit(text_[place]); };
  digits();
  if (end < text_.size() && text_[end] == '.' && digit_at(end + 1)) {
    ++end;
    digits();
  }
  if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
    bool sign = end + 1 < text_.size() && (text_[end + 1] == '+' || text_[end + 1] == '-');
    auto first = end + (sign ? 2U : 1U);
    if (digit_at(first)) {
      end = first;
      digits();
    }
  }
  return {Token::Kind::kNumber, text_.substr(at, end - at), at};
}

Token Scanner::At(std::size_t at, bool skip_newlines) const {
  at = SkipBlanks(at, skip_newlines);
  auto rest = text_.substr(at);
  if (rest.empty()) return {Token::Kind::kEnd, rest, at};
  if (rest.starts_with("\r\n")) return {Token::Kind::kNewline, rest.substr(0, 2), at};
  if (rest.front() == '\n') return {Token::Kind::kNewline, rest.substr(0, 1), at};
  if (rest.front() == '"') return {Token::Kind::kQuote, rest.substr(0, 1), at};
  if (IsDigit(rest.front())) return Number(at);
  auto identifier = IdentifierAt(at);
  if (!identifier.empty()) return {Token::Kind::kIdentifier, identifier, at};
  if (rest.starts_with("/*")) return {Token::Kind::kBad, rest.substr(0, 2), at};
  if (rest.starts_with("<<")) {
    auto dash = rest.substr(2).starts_with('-') ? 1U : 0U;
    auto word = IdentifierAt(at + 2 + dash);
    if (!word.empty()) return {Token::Kind::kHeredoc, rest.substr(0, 2 + dash + word.size()), at};
  }
  for (auto sign : kSigns) {
    if (sign.front() == rest.front() && rest.starts_with(sign))
      return {Token::Kind::kSign, rest.substr(0, sign.size()), at};
  }
  ucs4_t letter = 0;
  int length = u8_mbtouc(&letter, reinterpret_cast<const std::uint8_t*>(rest.data()), rest.size());
  return {Token::Kind::kBad, rest.substr(0, static_cast<std::size_t>(length)), at};
}

}  // namespace depot::hcl
