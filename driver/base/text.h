#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depot {

namespace text_internal {
inline void Append(std::string& out, std::string_view part) {
  out.append(part);
}
inline void Append(std::string& out, char part) {
  out.push_back(part);
}
template <std::integral T>
void Append(std::string& out, T part) {
  char digits[24];
  auto end = std::to_chars(digits, digits + sizeof digits, part).ptr;
  out.append(digits, end);
}
}  // namespace text_internal

/// Joins texts, characters and whole numbers into one string: Cat("port ", 8080, '.').
template <typename... Parts>
std::string Cat(const Parts&... parts) {
  std::string out;
  (text_internal::Append(out, parts), ...);
  return out;
}

/// Splits at every `separator`; "a,,b" has three parts and "" has one (empty) part.
std::vector<std::string_view> Split(std::string_view text, char separator);

std::string Join(const std::vector<std::string>& parts, std::string_view separator);

/// Without blanks, tabs, CR and LF at both ends.
std::string_view Trim(std::string_view text);

std::string LowerAscii(std::string_view text);

/// `path` as Go's path.Clean makes it: no "." or empty components, ".." taken back where possible,
/// "." for nothing.
std::string CleanPath(std::string_view path);

/// A whole decimal number without sign, blanks or rest; nullopt otherwise or when it overflows.
std::optional<std::uint64_t> ParseDecimal(std::string_view text);

/// Go's strconv.ParseBool: 1 t T TRUE true True, 0 f F FALSE false False; nullopt otherwise.
std::optional<bool> ParseBool(std::string_view text);

/// The candidate that a typo most likely meant, or "" when none is near (edit distance, at most a
/// third of the length). For messages of the form "did you mean --x?".
std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace depot
