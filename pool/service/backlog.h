#pragma once

#include <deque>
#include <functional>
#include <mutex>

#include "driver/base/result.h"

namespace depot::service {

/// Writes that the records cannot take at the moment because another process has them locked: they
/// are kept here, in order, so that no client waits and no build stops for it. What is still here
/// when the pool ends is lost: a build then counts as running until it is found to be silent. Safe
/// to use from several threads.
class Backlog {
 public:
  /// Its kTimeout means locked (records::Records).
  using Write = std::function<Result<>()>;

  /// Does it now; later when the records are locked or others are waiting already, which is a
  /// success. More than 10,000 do not wait: then the lock is the failure.
  Result<> Do(Write write);

  /// Does what waits, as far as it goes. A failure other than the lock ends that write, and is
  /// given to `failed`. On one thread only.
  void Flush(const std::function<void(const Error&)>& failed);

  bool empty() const;

 private:
  mutable std::mutex mutex_;
  std::deque<Write> waiting_;
};

}  // namespace depot::service
