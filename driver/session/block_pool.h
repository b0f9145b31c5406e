#pragma once

#include <cstddef>
#include <memory>

namespace depot::session {

/// Hands out buffers of one size that come back when their last user is gone, so that a long
/// transfer does not fault in fresh pages for every block. Safe to use from several threads; blocks
/// may outlive the pool.
class BlockPool {
 public:
  explicit BlockPool(std::size_t block_size);

  std::size_t block_size() const { return block_size_; }
  /// The content is undefined.
  std::shared_ptr<char[]> Take();

 private:
  struct Spares;

  std::size_t block_size_;
  std::shared_ptr<Spares> spares_;
};

}  // namespace depot::session
