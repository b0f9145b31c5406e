#include "pool/records/remembered.h"

#include <utility>

namespace depot::records {
namespace {

constexpr std::size_t kMostRemembered = 10'000;

}  // namespace

void Remembered::Keep(const BuildRecord& build) {
  std::lock_guard lock(mutex_);
  if (build.state == State::kRunning) {
    builds_[build.id] = build;
    builds_[build.id].options.clear();
    of_tokens_[build.token_hash] = build.id;
    oldest_[build.number] = build.id;
    if (oldest_.size() <= kMostRemembered) return;
  }
  const std::string gone = build.state == State::kRunning ? oldest_.begin()->second : build.id;
  auto found = builds_.find(gone);
  if (found == builds_.end()) return;
  of_tokens_.erase(found->second.token_hash);
  oldest_.erase(found->second.number);
  builds_.erase(found);
}

Result<BuildRecord> Remembered::Or(const std::string& value, Error error) const {
  if (error.code() != ErrorCode::kTimeout) return Fail(std::move(error));
  std::lock_guard lock(mutex_);
  auto token = of_tokens_.find(value);
  auto found = builds_.find(token == of_tokens_.end() ? value : token->second);
  if (found == builds_.end()) return Fail(std::move(error));
  return found->second;
}

}  // namespace depot::records
