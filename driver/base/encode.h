#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Bytes as text: base64, hexadecimal, percent-encoding.
namespace depot {

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
