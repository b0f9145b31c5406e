#include "driver/base/host_port.h"

#include "driver/base/text.h"

namespace depot {

HostPort SplitHostPort(std::string_view text) {
  HostPort parts;
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    parts.port = text.substr(colon + 1);
    text = text.substr(0, colon);
  }
  parts.brackets = text.size() > 1 && text.starts_with('[') && text.ends_with(']');
  parts.host = parts.brackets ? text.substr(1, text.size() - 2) : text;
  return parts;
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  const std::optional<std::uint64_t> number = ParseDecimal(text);
  if (!number || *number == 0 || *number > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

std::string JoinHostPort(std::string_view host, std::string_view port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  return v6 ? Cat('[', host, "]:", port) : Cat(host, ':', port);
}

}  // namespace depot
