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

/// A whole decimal number without sign, blanks or rest; nullopt otherwise or when it overflows.
std::optional<std::uint64_t> ParseDecimal(std::string_view text);

/// Go's strconv.ParseBool: 1 t T TRUE true True, 0 f F FALSE false False; nullopt otherwise.
std::optional<bool> ParseBool(std::string_view text);

/// The candidate that a typo most likely meant, or "" when none is near (edit distance, at most a
/// third of the length). For messages of the form "did you mean --x?".
std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& candidates);

/// For text of unknown origin that goes to a terminal or a log as part of a line of ours: control
/// characters (C0 without tab, DEL) become `?`, and invalid UTF-8 becomes U+FFFD.
std::string Printable(std::string_view text);

/// Hides what a URL of unknown origin may carry in front of the host: `https://u:p@h/x` becomes
/// `https://xxxxx:xxxxx@h/x`, and the value of a query parameter that is a credential by its name
/// (`?private_token=`, `&X-Amz-Signature=`) becomes xxxxx. Applies to every URL inside `text`;
/// other text is left alone.
std::string RedactUrls(std::string_view text);

std::string Base64(std::string_view bytes);

/// Standard alphabet, padding optional, line breaks ignored; nullopt when malformed.
std::optional<std::string> FromBase64(std::string_view text);

/// The alphabet for URLs and file names (RFC 4648, section 5), padded.
std::string Base64Url(std::string_view bytes);

/// The same alphabet without padding, as in a JWT; nullopt when it is anything else.
std::optional<std::string> FromBase64Url(std::string_view text);

std::string Hex(std::string_view bytes);

/// Resolves RFC 3986 percent-encoding; a `%` without two hexadecimal digits stays as it is.
std::string PercentDecode(std::string_view text);

}  // namespace depot
