#include "driver/rpc/frame_batch.h"

#include <algorithm>
#include <utility>

namespace depot::rpc {

void FrameBatch::Copy(std::string_view bytes) {
  constexpr std::size_t kArena = 16 << 10;
  // The arena never grows beyond what it reserved: pieces that were taken point into it.
  if (!arena_ || arena_->capacity() - arena_->size() < bytes.size()) {
    FlushArena();
    arena_ = std::make_shared<std::string>();
    arena_->reserve(std::max(bytes.size(), kArena));
    arena_begin_ = 0;
  }
  arena_->append(bytes);
  size_ += bytes.size();
}

void FrameBatch::Add(Bytes bytes) {
  constexpr std::size_t kWorthSharing = 256;
  if (bytes.size() <= kWorthSharing) {
    Copy(bytes.view());
    return;
  }
  FlushArena();
  size_ += bytes.size();
  pieces_.push_back(std::move(bytes));
}

BytesList FrameBatch::Take() {
  FlushArena();
  size_ = 0;
  return std::exchange(pieces_, {});
}

void FrameBatch::FlushArena() {
  if (!arena_ || arena_begin_ == arena_->size()) return;
  pieces_.emplace_back(arena_, std::string_view(*arena_).substr(arena_begin_));
  arena_begin_ = arena_->size();
}

}  // namespace depot::rpc
