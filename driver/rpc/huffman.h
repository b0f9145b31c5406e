#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace depot::rpc {

/// The text of a string that HPACK packed (RFC 7541, 5.2 and appendix B), at most 8/5 of its size;
/// nullopt when it is damaged. Pure, linear.
std::optional<std::string> UnpackHuffman(std::string_view packed);

}  // namespace depot::rpc
