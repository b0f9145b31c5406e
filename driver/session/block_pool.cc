#include "driver/session/block_pool.h"

#include <mutex>
#include <vector>

namespace depot::session {
namespace {

constexpr std::size_t kMaxSpares = 8;

}  // namespace

struct BlockPool::Spares {
  std::mutex mutex;
  std::vector<std::unique_ptr<char[]>> blocks;

  void Return(std::unique_ptr<char[]> block) {
    std::lock_guard lock(mutex);
    if (blocks.size() < kMaxSpares) blocks.push_back(std::move(block));
  }
};

BlockPool::BlockPool(std::size_t block_size)
    : block_size_(block_size), spares_(std::make_shared<Spares>()) {}

std::shared_ptr<char[]> BlockPool::Take() {
  std::unique_ptr<char[]> block;
  {
    std::lock_guard lock(spares_->mutex);
    if (!spares_->blocks.empty()) {
      block = std::move(spares_->blocks.back());
      spares_->blocks.pop_back();
    }
  }
  if (!block) block = std::make_unique_for_overwrite<char[]>(block_size_);
  return std::shared_ptr<char[]>(block.release(), [spares = spares_](char* returned) {
    spares->Return(std::unique_ptr<char[]>(returned));
  });
}

}  // namespace depot::session
