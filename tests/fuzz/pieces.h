#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace depot::fuzz {

/// An input as a list of messages: two bytes of length (little endian, the rest when it is larger),
/// then the message.
class Pieces {
 public:
  Pieces(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  /// nullopt at the end.
  std::optional<std::string_view> Next() {
    if (rest_.size() < 2) return std::nullopt;
    std::size_t size = static_cast<unsigned char>(rest_[0]) |
                       static_cast<std::size_t>(static_cast<unsigned char>(rest_[1])) << 8;
    std::string_view piece = rest_.substr(2, size);
    rest_.remove_prefix(2 + piece.size());
    return piece;
  }

 private:
  std::string_view rest_;
};

/// Ends the run as a finding.
inline void Expect(bool holds) {
  if (!holds) __builtin_trap();
}

}  // namespace depot::fuzz
