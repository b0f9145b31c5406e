#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace depot {

/// A place in the network as users write it: HOST, HOST:PORT, [V6] or [V6]:PORT. Views into what
/// was split.
struct HostPort {
  std::string_view host;                 // Without its brackets; not checked.
  bool brackets = false;                 // An IPv6 address has to have them.
  std::optional<std::string_view> port;  // What is behind the last colon, not checked.
};

HostPort SplitHostPort(std::string_view text);

/// 1 to 65535 in decimal, else nullopt.
std::optional<std::uint16_t> ParsePort(std::string_view text);

/// HOST:PORT, with brackets around an IPv6 address.
std::string JoinHostPort(std::string_view host, std::string_view port);

}  // namespace depot
