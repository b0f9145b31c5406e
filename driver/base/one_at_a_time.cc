#include "driver/base/one_at_a_time.h"

namespace depot {

Result<OneAtATime::Turn> OneAtATime::Begin(const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  if (!cancel.Wait(lock, changed_, [this] { return !busy_; })) return Fail(cancel.error());
  busy_ = true;
  return Turn(*this);
}

void OneAtATime::End() {
  std::lock_guard lock(mutex_);
  busy_ = false;
  changed_.notify_one();
}

}  // namespace depot
