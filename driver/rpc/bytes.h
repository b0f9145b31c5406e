#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace depot::rpc {

/// A piece of a shared, unchanging buffer. Copying shares the buffer; nothing is copied on the way
/// from a file to the TLS layer.
class Bytes {
 public:
  Bytes() = default;
  /// Takes the string over.
  explicit Bytes(std::string text);
  /// Shares `owner`, which keeps `view` alive.
  Bytes(std::shared_ptr<const void> owner, std::string_view view)
      : owner_(std::move(owner)), view_(view) {}

  std::string_view view() const { return view_; }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  /// Cuts the first `count` bytes off and returns them.
  Bytes TakeFront(std::size_t count) {
    Bytes front(owner_, view_.substr(0, count));
    view_.remove_prefix(count);
    return front;
  }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

/// A message or a piece of a stream in several buffers, sent in order.
using BytesList = std::vector<Bytes>;

inline std::size_t TotalSize(const BytesList& list) {
  std::size_t total = 0;
  for (const Bytes& bytes : list)
    total += bytes.size();
  return total;
}

}  // namespace depot::rpc
