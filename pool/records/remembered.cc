#include "pool/records/remembered.h"

#include <utility>

namespace depot::records {
namespace {

constexpr std::size_t kMostRemembered = 10'000;
constexpr std::size_t kLongestOptions = 1024;

}  // namespace

std::uint64_t Remembered::Begin() const {
  std::lock_guard lock(mutex_);
  return changes_;
}

void Remembered::Keep(const BuildRecord& build, std::uint64_t begun) {
  std::lock_guard lock(mutex_);
  if (build.state == State::kRunning) {
    Entry& entry = builds_[build.id];
    entry = {build};
    const bool whole = build.options.size() <= kLongestOptions;
    if (!whole) entry.build.options.clear();
    if (whole && begun == changes_) entry.fresh_until = Clock::now() + fresh_;
    of_tokens_[build.token_hash] = build.id;
    oldest_[build.number] = build.id;
    if (oldest_.size() <= kMostRemembered) return;
  }
  const std::string gone = build.state == State::kRunning ? oldest_.begin()->second : build.id;
  auto found = builds_.find(gone);
  if (found == builds_.end()) return;
  of_tokens_.erase(found->second.build.token_hash);
  oldest_.erase(found->second.build.number);
  builds_.erase(found);
}

void Remembered::Change(const std::string& id) {
  std::lock_guard lock(mutex_);
  ++changes_;
  auto found = builds_.find(id);
  if (found != builds_.end()) found->second.fresh_until = {};
}

std::optional<BuildRecord> Remembered::Fresh(const std::string& value) const {
  std::lock_guard lock(mutex_);
  const Entry* entry = Find(value);
  if (entry == nullptr || Clock::now() >= entry->fresh_until) return std::nullopt;
  return entry->build;
}

Result<BuildRecord> Remembered::Or(const std::string& value, Error error) const {
  if (error.code() != ErrorCode::kTimeout) return Fail(std::move(error));
  std::lock_guard lock(mutex_);
  const Entry* entry = Find(value);
  if (entry == nullptr) return Fail(std::move(error));
  return entry->build;
}

const Remembered::Entry* Remembered::Find(const std::string& value) const {
  auto token = of_tokens_.find(value);
  auto found = builds_.find(token == of_tokens_.end() ? value : token->second);
  return found == builds_.end() ? nullptr : &found->second;
}

}  // namespace depot::records
