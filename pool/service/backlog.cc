#include "pool/service/backlog.h"

#include <utility>

namespace depot::service {
namespace {

constexpr std::size_t kMost = 10'000;

bool IsLocked(const Result<>& written) {
  return !written && written.error().code() == ErrorCode::kTimeout;
}

}  // namespace

Result<> Backlog::Do(Write write) {
  if (empty()) {
    Result<> written = write();
    if (!IsLocked(written)) return written;
  }
  std::lock_guard lock(mutex_);
  if (waiting_.size() >= kMost) {
    return Fail(ErrorCode::kUnavailable, "the records have been locked for too long");
  }
  waiting_.push_back(std::move(write));
  return {};
}

void Backlog::Flush(const std::function<void(const Error&)>& failed) {
  while (!empty()) {
    Write write;
    {
      // It stays in its place meanwhile, so that nothing overtakes it.
      std::lock_guard lock(mutex_);
      write = waiting_.front();
    }
    Result<> written = write();
    if (IsLocked(written)) return;
    if (!written) failed(written.error());
    std::lock_guard lock(mutex_);
    waiting_.pop_front();
  }
}

bool Backlog::empty() const {
  std::lock_guard lock(mutex_);
  return waiting_.empty();
}

}  // namespace depot::service
