#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace depot::rpc {

/// How many bytes a connection hands to the stream below in one Write(). Large batches save both
/// ends wake-ups, TLS records and tunnel messages; but whatever is urgent, such as the answer to a
/// health check, waits behind the batch that is under way. So a batch is what the link takes in 25
/// to 100 ms. Not synchronized.
class BatchSize {
 public:
  static constexpr std::size_t kSmallest = 64 << 10;
  /// With 2 MiB a builder gets slower again.
  static constexpr std::size_t kLargest = 1 << 20;

  /// Bytes of the next batch.
  std::size_t limit() const { return limit_; }

  /// The last batch, of `size` bytes, was off our hands after `took`. Only one that was full tells
  /// that a larger one would have been as well.
  void Taken(std::size_t size, std::chrono::steady_clock::duration took) {
    if (took > kSlow) {
      limit_ = std::max(limit_ / 2, kSmallest);
    } else if (took < kFast && size >= limit_) {
      limit_ = std::min(limit_ * 2, kLargest);
    }
  }

 private:
  static constexpr std::chrono::milliseconds kFast{25};
  static constexpr std::chrono::milliseconds kSlow{100};

  std::size_t limit_ = kSmallest;
};

}  // namespace depot::rpc
