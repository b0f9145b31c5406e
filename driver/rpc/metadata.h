#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depot::rpc {

/// gRPC metadata: lower-case keys in order, a key may repeat. Values of keys that end in "-bin" are
/// raw bytes here and base64 on the wire.
class Metadata {
 public:
  Metadata() = default;
  Metadata(std::initializer_list<std::pair<std::string, std::string>> entries)
      : entries_(entries) {}

  void Add(std::string key, std::string value) {
    entries_.emplace_back(std::move(key), std::move(value));
  }

  /// The first value of `key`.
  std::optional<std::string> Get(std::string_view key) const {
    for (const auto& [name, value] : entries_) {
      if (name == key) return value;
    }
    return std::nullopt;
  }

  /// All values of `key`, in order.
  std::vector<std::string> All(std::string_view key) const {
    std::vector<std::string> values;
    for (const auto& [name, value] : entries_) {
      if (name == key) values.push_back(value);
    }
    return values;
  }

  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

}  // namespace depot::rpc
