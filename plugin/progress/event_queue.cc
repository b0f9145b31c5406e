#include "plugin/progress/event_queue.h"

#include <algorithm>
#include <variant>

namespace depot {
namespace {

constexpr std::size_t kMaxDigest = 256;
constexpr std::size_t kMaxId = 512;
constexpr std::size_t kMaxName = 4096;
constexpr std::size_t kMaxError = 16 << 10;
constexpr std::size_t kMaxShortError = 200;
constexpr std::size_t kMaxSource = 256 << 10;
constexpr std::size_t kMaxDetails = 20;
constexpr std::size_t kMaxRanges = 100;
constexpr std::size_t kMaxChunk = 256 << 10;
constexpr std::size_t kMaxLogVertices = 4096;
constexpr std::size_t kMaxTextBytes = 8 << 20;
constexpr std::size_t kItemCost = 128;
/// One message of a builder often has the end of a step before its last output: it is not looked at
/// when only half of it is here.
constexpr std::chrono::milliseconds kSettle(10);
/// What a line of a log costs later beside its bytes, when it is held on its own.
constexpr std::size_t kLineCost = 32;

void Cut(std::string& text, std::size_t size) {
  if (text.size() <= size) return;
  text.resize(size);
  text.shrink_to_fit();
}

std::size_t CountLines(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

std::size_t CostOf(const LogChunk& chunk) {
  return kItemCost + chunk.data.size() + kLineCost * CountLines(chunk.data);
}

std::size_t CostOf(const Vertex& vertex) {
  return 2 * kItemCost + vertex.digest.size() * 2 + vertex.name.size() + vertex.error.size() +
         vertex.group_id.size() + vertex.group_name.size();
}

std::size_t CostOf(const VertexStatus& status) {
  return 2 * kItemCost + 2 * (status.id.size() + status.vertex.size()) + status.name.size();
}

std::size_t CostOf(const VertexWarning& warning) {
  std::size_t cost = warning.short_text.size() + warning.url.size() + warning.filename.size() +
                     warning.source.size() + warning.language.size();
  for (const std::string& line : warning.detail)
    cost += line.size();
  return cost;
}

}  // namespace

void EventQueue::Emit(Event event) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  bool was_empty = empty();
  bool was_full = log_cost_ >= kSliceBytes;
  std::visit([this](auto& value) { Put(std::move(value)); }, event);
  if ((was_empty && !empty()) || (!was_full && log_cost_ >= kSliceBytes)) changed_.notify_one();
}

bool EventQueue::Wait(Clock::time_point not_before, std::optional<Clock::time_point> at_latest) {
  std::unique_lock lock(mutex_);
  const bool was_empty = empty();
  auto something = [this] { return closed_ || !empty(); };
  if (at_latest) {
    changed_.wait_until(lock, *at_latest, something);
  } else {
    changed_.wait(lock, something);
  }
  if (was_empty && !empty()) not_before = std::max(not_before, Clock::now() + kSettle);
  changed_.wait_until(lock, not_before, [this] { return closed_ || log_cost_ >= kSliceBytes; });
  return !closed_ || !empty();
}

EventBatch EventQueue::Take() {
  EventBatch batch;
  std::lock_guard lock(mutex_);
  batch.notices.swap(notices_);
  batch.statuses.swap(statuses_);
  status_index_.clear();
  status_cost_ = 0;
  batch.warnings.swap(warnings_);
  warning_cost_ = 0;
  batch.overflow = std::exchange(overflow_, false);
  TakeLogs(batch);
  std::vector<Vertex> held;
  auto index = std::exchange(vertex_index_, {});
  vertex_cost_ = 0;
  for (std::size_t i = 0; i < vertices_.size(); ++i) {
    Vertex& vertex = vertices_[i];
    bool restarted = index[vertex.digest] != i;
    if (!vertex.completed || restarted) {
      batch.vertices.push_back(std::move(vertex));
      continue;
    }
    Vertex begin = vertex;
    begin.completed.reset();
    begin.error.clear();
    batch.vertices.push_back(std::move(begin));
    if (logs_.contains(vertex.digest)) {
      vertex_cost_ += CostOf(vertex);
      vertex_index_[vertex.digest] = held.size();
      held.push_back(std::move(vertex));
    } else {
      batch.ends.push_back(std::move(vertex));
    }
  }
  vertices_.swap(held);
  TakeKeptEnds(batch);
  RememberOpen(batch);
  return batch;
}

void EventQueue::TakeKeptEnds(EventBatch& batch) {
  for (auto kept = kept_ends_.begin(); kept != kept_ends_.end();) {
    const auto at = kept++;
    if (logs_.contains(at->first)) continue;
    batch.ends.push_back(std::move(at->second));
    kept_ends_.erase(at);
  }
}

void EventQueue::RememberOpen(const EventBatch& batch) {
  const auto cost = [](const Vertex& vertex) { return kItemCost + vertex.digest.size(); };
  for (const Vertex& vertex : batch.vertices) {
    const bool fits = !vertex.completed && open_cost_ <= kMaxKeyedBytes;
    if (fits && open_.insert(vertex.digest).second) open_cost_ += cost(vertex);
  }
  for (const Vertex& vertex : batch.ends)
    if (open_.erase(vertex.digest) != 0) open_cost_ -= cost(vertex);
}

void EventQueue::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void EventQueue::Put(Vertex&& vertex) {
  if (vertex.digest.size() > kMaxDigest || vertex.group_id.size() > kMaxDigest) return;
  vertex.inputs = {};
  Cut(vertex.name, kMaxName);
  Cut(vertex.group_name, kMaxName);
  Cut(vertex.error, kMaxError);
  auto found = vertex_index_.find(vertex.digest);
  // A restart is a run of its own: both must be seen for the time to be right.
  bool replaces =
      found != vertex_index_.end() &&
      (!vertices_[found->second].started || vertices_[found->second].started == vertex.started);
  if (!replaces && vertex_cost_ > kMaxKeyedBytes) {
    overflow_ = !KeepEnd(vertex) || overflow_;
    return;
  }
  vertex_cost_ += CostOf(vertex);
  if (replaces) {
    Vertex& old = vertices_[found->second];
    vertex_cost_ -= CostOf(old);
    old = std::move(vertex);
    return;
  }
  vertex_index_[vertex.digest] = vertices_.size();
  vertices_.push_back(std::move(vertex));
}

/// False when it is no end of an open step.
bool EventQueue::KeepEnd(Vertex& vertex) {
  if (!vertex.completed || !open_.contains(vertex.digest)) return false;
  Vertex& kept = kept_ends_[vertex.digest];
  kept = Vertex();
  kept.cached = vertex.cached;
  kept.started = vertex.started;
  kept.completed = vertex.completed;
  // The end of an error says what kind it is.
  const std::size_t length = std::min(vertex.error.size(), kMaxShortError);
  kept.error = vertex.error.substr(vertex.error.size() - length);
  kept.digest = std::move(vertex.digest);
  return true;
}

void EventQueue::Put(VertexStatus&& status) {
  if (status.vertex.size() > kMaxDigest) return;
  Cut(status.id, kMaxId);
  Cut(status.name, kMaxId);
  auto key = std::pair(status.vertex, status.id);
  auto found = status_index_.find(key);
  if (found != status_index_.end()) {
    statuses_[found->second] = std::move(status);
    return;
  }
  if (status_cost_ > kMaxKeyedBytes) {
    overflow_ = true;
    return;
  }
  status_cost_ += CostOf(status);
  status_index_.emplace(std::move(key), statuses_.size());
  statuses_.push_back(std::move(status));
}

void EventQueue::Put(VertexLog&& log) {
  if (log.vertex.size() > kMaxDigest || log.data.empty()) return;
  if (logs_.size() >= kMaxLogVertices && !logs_.contains(log.vertex)) {
    overflow_ = true;
    return;
  }
  auto [entry, is_new] = logs_.try_emplace(log.vertex);
  auto add = [&, &logs = entry->second](std::string data) {
    LogChunk chunk{log.timestamp, log.stream, std::move(data), 0};
    std::size_t cost = CostOf(chunk);
    logs.cost += cost;
    log_cost_ += cost;
    logs.chunks.push_back(std::move(chunk));
  };
  if (log.data.size() <= kMaxChunk) {
    add(std::move(log.data));
  } else {
    for (std::size_t at = 0; at < log.data.size(); at += kMaxChunk) {
      add(log.data.substr(at, kMaxChunk));
    }
  }
  if (is_new) {
    entry->second.cost += kItemCost + entry->first.size();
    log_cost_ += kItemCost + entry->first.size();
  }
  if (log_cost_ > kMaxLogBytes) DropOldest();
}

void EventQueue::Put(VertexWarning&& warning) {
  if (warnings_.size() >= kMaxTexts || warning_cost_ > kMaxTextBytes ||
      warning.vertex.size() > kMaxDigest) {
    overflow_ = true;
    return;
  }
  Cut(warning.short_text, kMaxName);
  Cut(warning.url, kMaxName);
  Cut(warning.filename, kMaxName);
  if (warning.source.size() > kMaxSource) warning.source.clear();
  if (warning.detail.size() > kMaxDetails) warning.detail.resize(kMaxDetails);
  if (warning.ranges.size() > kMaxRanges) warning.ranges.resize(kMaxRanges);
  for (std::string& line : warning.detail)
    Cut(line, kMaxName);
  warning_cost_ += CostOf(warning);
  warnings_.push_back(std::move(warning));
}

void EventQueue::Put(Notice&& notice) {
  if (notices_.size() >= kMaxTexts) {
    overflow_ = true;
    return;
  }
  Cut(notice.text, kMaxName);
  notices_.push_back(std::move(notice.text));
}

void EventQueue::DropOldest() {
  // Vertices that hold less than half of the average hold less than half of all, so one pass over
  // the others, halving each, frees a quarter at least.
  std::size_t loud = log_cost_ / logs_.size() / 2;
  for (auto& [digest, logs] : logs_) {
    if (logs.cost < loud) continue;
    std::size_t target = logs.cost / 2;
    while (logs.cost > target && !logs.chunks.empty()) {
      std::size_t cost = CostOf(logs.chunks.front());
      logs.dropped_lines += std::max<std::size_t>(1, CountLines(logs.chunks.front().data));
      logs.cost -= cost;
      log_cost_ -= cost;
      logs.chunks.pop_front();
    }
  }
}

void EventQueue::TakeLogs(EventBatch& batch) {
  if (logs_.empty()) return;
  const std::size_t share = std::max(kSliceBytes / logs_.size(), kMaxChunk);
  std::size_t taken = 0;
  auto entry = logs_.lower_bound(next_logs_);
  for (std::size_t left = logs_.size(); left > 0 && taken < kSliceBytes; --left) {
    if (entry == logs_.end()) entry = logs_.begin();
    taken += TakeLogsOf(entry->first, entry->second, share, batch);
    if (entry->second.chunks.empty()) {
      log_cost_ -= entry->second.cost;
      entry = logs_.erase(entry);
    } else {
      ++entry;
    }
  }
  next_logs_ = entry == logs_.end() ? "" : entry->first;
}

std::size_t EventQueue::TakeLogsOf(const std::string& digest,
                                   Logs& logs,
                                   std::size_t most,
                                   EventBatch& batch) {
  std::size_t taken = 0;
  if (logs.dropped_lines > 0) {
    Timestamp when = logs.chunks.empty() ? Timestamp{} : logs.chunks.front().timestamp;
    batch.logs.emplace_back(digest, LogChunk{when, 1, {}, logs.dropped_lines});
    logs.dropped_lines = 0;
  }
  while (!logs.chunks.empty() && taken < most) {
    std::size_t cost = CostOf(logs.chunks.front());
    taken += cost;
    logs.cost -= cost;
    log_cost_ -= cost;
    batch.logs.emplace_back(digest, std::move(logs.chunks.front()));
    logs.chunks.pop_front();
  }
  return taken;
}

bool EventQueue::empty() const {
  return vertices_.empty() && statuses_.empty() && logs_.empty() && warnings_.empty() &&
         notices_.empty() && kept_ends_.empty() && !overflow_;
}

}  // namespace depot
