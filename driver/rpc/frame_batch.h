#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "driver/rpc/bytes.h"

namespace depot::rpc {

/// The HTTP/2 frames of one ByteStream::Write(), in order. What is small (frame headers, control
/// frames, short payloads) is copied into a shared arena, so that a batch has few pieces; larger
/// payloads travel by reference. The batch may be filled again while pieces of an earlier Take()
/// are still in use. One thread at a time.
class FrameBatch {
 public:
  /// Appends a copy of `bytes`, which the caller may reuse at once.
  void Copy(std::string_view bytes);

  /// Appends `bytes`; its buffer is shared when it is larger than what a copy would cost.
  void Add(Bytes bytes);

  /// Bytes appended since the last Take().
  std::size_t size() const { return size_; }

  /// Hands over what was appended and leaves the batch empty.
  BytesList Take();

 private:
  void FlushArena();

  BytesList pieces_;
  std::size_t size_ = 0;
  std::shared_ptr<std::string> arena_;
  std::size_t arena_begin_ = 0;  // of what is not among pieces_ yet
};

}  // namespace depot::rpc
