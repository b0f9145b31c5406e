#include "driver/session/send_queue.h"

#include "driver/base/text.h"

namespace depot::session {
namespace {

constexpr std::size_t kMaxStatBytes = 256 << 10;

}  // namespace

Result<> SendQueue::Announce(std::string_view path, EntryTable::Kind kind, std::uint64_t state) {
  std::lock_guard lock(mutex_);
  TRY_ASSIGN(const std::uint32_t id, table_.Add(path, kind));
  if (state == 0) return {};
  states_.resize(id + std::size_t{1});
  states_[id] = state;
  return {};
}

Result<> SendQueue::PushStats(std::string block, const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  if (!cancel.Wait(lock, changed_, [&] { return stats_size_ < kMaxStatBytes; })) {
    return Fail(cancel.error());
  }
  stats_size_ += block.size();
  stats_.emplace_back(std::move(block));
  changed_.notify_all();
  return {};
}

Result<> SendQueue::Request(std::uint32_t id) {
  std::lock_guard lock(mutex_);
  if (!table_.Claim(id)) {
    return Fail(ErrorCode::kInvalid, Cat("the builder asked for an invalid file id ", id));
  }
  requests_.push_back(id);
  changed_.notify_all();
  return {};
}

Result<SendQueue::Work> SendQueue::Next(const Cancel& cancel) {
  std::unique_lock lock(mutex_);
  if (!cancel.Wait(lock, changed_, [&] { return HasWorkLocked(); })) return Fail(cancel.error());
  return TakeWorkLocked();
}

std::optional<SendQueue::Work> SendQueue::Take() {
  std::lock_guard lock(mutex_);
  if (!HasWorkLocked()) return std::nullopt;
  return TakeWorkLocked();
}

SendQueue::Work SendQueue::TakeWorkLocked() {
  Work work{TakeStatsLocked(), std::nullopt};
  if (requests_.empty()) return work;
  std::uint32_t id = requests_.front();
  requests_.pop_front();
  work.file = File{id, table_.PathOf(id), table_.kind(id) == EntryTable::Kind::kEmptyFile,
                   id < states_.size() ? states_[id] : 0};
  return work;
}

rpc::BytesList SendQueue::TakeStats() {
  std::lock_guard lock(mutex_);
  return TakeStatsLocked();
}

rpc::BytesList SendQueue::TakeStatsLocked() {
  if (stats_size_ >= kMaxStatBytes) changed_.notify_all();
  stats_size_ = 0;
  return std::exchange(stats_, {});
}

}  // namespace depot::session
