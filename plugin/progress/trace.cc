#include "plugin/progress/trace.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/progress/log_filter.h"

namespace depot {
namespace {

constexpr std::size_t kMaxKeyedBytes = 16 << 20;
constexpr std::size_t kMaxTailBytes = 8 << 20;
constexpr std::size_t kMaxTailLine = 4096;
constexpr std::size_t kMaxLine = 4 << 20;
constexpr std::size_t kMaxOpenBytes = 16 << 20;
constexpr std::size_t kShortLine = 4096;
constexpr std::size_t kMaxMembers = 1000;
constexpr std::size_t kMaxKeptWarnings = 1000;
constexpr std::size_t kMaxWarningBytes = 8 << 20;
constexpr std::string_view kCancelled = "context canceled";

std::string Harmless(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  return Printable(RedactUrls(text));
}

/// The start of a line that was made safe, cut between characters and with its colours ended.
std::string CutLine(const std::string& line) {
  if (line.size() <= kMaxTailLine) return line;
  std::size_t end = kMaxTailLine;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80)
    --end;
  std::size_t escape = line.rfind('\x1b', end);
  if (escape == std::string::npos) return line.substr(0, end);
  if (line.find('m', escape) >= end) end = escape;
  return line.substr(0, end) + "\x1b[0m";
}

std::string Seconds(Elapsed elapsed) {
  double seconds = std::max(0.0, std::chrono::duration<double>(elapsed).count());
  int digits = seconds < 10 ? 3 : seconds < 100 ? 2 : 1;
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, seconds);
  return text;
}

/// A vertex inside a node.
struct Member {
  std::optional<Timestamp> started;
  std::optional<Timestamp> completed;
  bool cached = false;
  bool weak = false;
  std::string error;
};

/// A century: the sum of two fits into an Elapsed.
constexpr Elapsed kLongest = std::chrono::hours(24 * 365 * 130);

/// Time in which at least one member ran, as a sum of periods without overlap.
struct Periods {
  std::optional<Timestamp> start;
  std::optional<Timestamp> end;
  Elapsed closed{0};

  void Begin(Timestamp when) {
    if (start && end && when > *end) {
      // However often the builder says that a step began again.
      closed = std::min(closed + (*end - *start), kLongest);
      start.reset();
    }
    start = start ? std::min(*start, when) : when;
    end.reset();
  }
  Elapsed total() const {
    return closed + (start && end && *end > *start ? *end - *start : Elapsed{0});
  }
};

/// The same for two warnings that are the same to their reader.
std::string KeyOf(const VertexWarning& warning) {
  std::string key =
      Cat(warning.level, '\0', warning.short_text, '\0', warning.url, '\0', warning.filename);
  for (const std::string& line : warning.detail)
    key += Cat('\0', line);
  for (const SourceRange& range : warning.ranges)
    key += Cat('\0', range.start_line, '-', range.end_line);
  return key;
}

}  // namespace

struct Trace::Internals {
  struct Extra {
    std::vector<Member> members;
    Periods periods;
    bool is_group = false;
    bool changed = false;
    std::map<std::string, std::size_t> status_index;
    std::unique_ptr<LogFilter> streams[2];
    Timestamp open_at[2]{};  ///< when the unfinished line of each stream began
    Timestamp last_log{};
  };

  std::deque<Extra> extras;  ///< by node
  struct Place {
    std::size_t node = 0;
    std::size_t member = 0;  ///< of the node
  };
  std::map<std::string, Place> by_digest;
  std::map<std::string, std::size_t> by_group;
  std::size_t keyed_bytes = 0;
  std::size_t tail_bytes = 0;
  std::size_t open_bytes = 0;
  std::size_t warning_bytes = 0;
  std::set<std::string> warnings;  ///< keys of those that are known
  bool overflow_said = false;
};

Trace::Trace(bool colours) : colours_(colours), internals_(std::make_unique<Internals>()) {}

Trace::~Trace() = default;

TraceNews Trace::Apply(EventBatch batch, Clock::time_point now) {
  now_ = now;
  EndOldLines();
  for (std::string& notice : batch.notices)
    news_.notices.push_back(Harmless(std::move(notice)));
  for (const Vertex& vertex : batch.vertices)
    ApplyVertex(vertex);
  for (const VertexStatus& status : batch.statuses)
    ApplyStatus(status);
  for (const auto& [digest, chunk] : batch.logs)
    ApplyLog(digest, chunk);
  for (VertexWarning& warning : batch.warnings)
    ApplyWarning(std::move(warning));
  for (const Vertex& vertex : batch.ends)
    ApplyVertex(vertex);
  bool overflow = batch.overflow || internals_->keyed_bytes > kMaxKeyedBytes;
  if (overflow && !std::exchange(internals_->overflow_said, true)) {
    news_.notices.push_back("the builder reports more steps than can be shown: some are left out");
  }
  return TakeNews();
}

TraceNews Trace::End() {
  while (!open_since_.empty())
    EndOpenLine(open_since_.begin()->first);
  return TakeNews();
}

TraceNews Trace::TakeNews() {
  for (std::size_t node : news_.changed)
    internals_->extras[node].changed = false;
  return std::exchange(news_, {});
}

void Trace::EndOldLines() {
  for (auto entry = open_since_.begin(); entry != open_since_.end();) {
    auto [node, since] = *entry++;
    if (now_ - since >= kOpenLine) EndOpenLine(node);
  }
}

void Trace::EndOpenLine(std::size_t node) {
  open_since_.erase(node);
  Internals::Extra& extra = internals_->extras[node];
  for (std::size_t i = 0; i < std::size(extra.streams); ++i) {
    LogFilter* stream = extra.streams[i].get();
    if (stream == nullptr || !stream->open()) continue;
    internals_->open_bytes -= std::min(internals_->open_bytes, stream->size());
    AddLines(node, extra.open_at[i], {stream->TakeOpen()});
  }
}

bool Trace::HasOpenLine(std::size_t node) const {
  const auto& streams = internals_->extras[node].streams;
  return std::any_of(std::begin(streams), std::end(streams),
                     [](const auto& stream) { return stream && stream->open(); });
}

std::optional<std::size_t> Trace::FindOrAdd(const Vertex& vertex) {
  auto found = internals_->by_digest.find(vertex.digest);
  if (found != internals_->by_digest.end()) return found->second.node;
  bool grouped = !vertex.group_id.empty();
  auto group = internals_->by_group.find(vertex.group_id);
  bool joins = grouped && group != internals_->by_group.end();
  if (joins && internals_->extras[group->second].members.size() >= kMaxMembers) {
    return std::nullopt;
  }
  internals_->keyed_bytes += sizeof(TraceNode) + sizeof(Internals::Extra) + sizeof(Member) +
                             3 * vertex.digest.size() + vertex.name.size() +
                             vertex.group_name.size();
  if (internals_->keyed_bytes > kMaxKeyedBytes) return std::nullopt;
  std::size_t index = nodes_.size();
  if (joins) {
    index = group->second;
  } else {
    TraceNode& node = nodes_.emplace_back();
    internals_->extras.emplace_back().is_group = grouped;
    node.name = Harmless(grouped ? vertex.group_name : vertex.name);
    node.hidden = grouped;
    if (grouped) internals_->by_group[vertex.group_id] = index;
  }
  std::vector<Member>& members = internals_->extras[index].members;
  internals_->by_digest[vertex.digest] = {index, members.size()};
  Member& member = members.emplace_back();
  member.weak = vertex.group_weak;
  return index;
}

void Trace::ApplyVertex(const Vertex& vertex) {
  std::optional<std::size_t> index = FindOrAdd(vertex);
  if (!index) return;
  Internals::Extra& extra = internals_->extras[*index];
  Member* member = &extra.members[internals_->by_digest[vertex.digest].member];
  member->cached = vertex.cached;
  if (vertex.started && vertex.started != member->started) {
    member->started = vertex.started;
    member->completed.reset();
    member->error.clear();
    extra.periods.Begin(*vertex.started);
  }
  if (vertex.completed) {
    member->completed = vertex.completed;
    member->error = Harmless(vertex.error);
  }
  Refresh(*index);
  if (nodes_[*index].completed) EndOpenLine(*index);
  MarkChanged(*index);
}

void Trace::Refresh(std::size_t index) {
  Internals::Extra& extra = internals_->extras[index];
  TraceNode& node = nodes_[index];
  node.cached = true;
  node.started = false;
  node.error.clear();
  bool running = false;
  std::optional<Timestamp> end;
  for (const Member& member : extra.members) {
    node.cached = node.cached && member.cached;
    if (!member.started && !member.completed) continue;
    node.started = true;
    running = running || !member.completed;
    if (member.completed) end = end ? std::max(*end, *member.completed) : member.completed;
    if (node.error.empty()) node.error = member.error;
    if (!member.weak || !member.error.empty()) node.hidden = false;
  }
  node.completed = node.started && !running;
  node.cancelled = node.error.ends_with(kCancelled);
  extra.periods.end = running ? std::nullopt : end;
  node.elapsed = extra.periods.total();
}

void Trace::ApplyStatus(const VertexStatus& status) {
  auto found = internals_->by_digest.find(status.vertex);
  if (found == internals_->by_digest.end()) return;
  std::size_t index = found->second.node;
  TraceNode& node = nodes_[index];
  Internals::Extra& extra = internals_->extras[index];
  auto [entry, is_new] = extra.status_index.try_emplace(status.id, node.statuses.size());
  if (is_new) {
    std::size_t cost = sizeof(TraceStatus) + 128 + 2 * status.id.size();
    if (internals_->keyed_bytes + cost > kMaxKeyedBytes) {
      extra.status_index.erase(entry);
      return;
    }
    internals_->keyed_bytes += cost;
    node.statuses.emplace_back().id = Harmless(status.id);
  }
  TraceStatus& shown = node.statuses[entry->second];
  shown.current = std::max<std::int64_t>(0, status.current);
  shown.total = std::max<std::int64_t>(0, status.total);
  shown.done = status.completed.has_value();
  shown.started = status.started;
  if (status.started) {
    Timestamp until = status.completed.value_or(status.timestamp);
    shown.elapsed = std::max(Elapsed{0}, until - *status.started);
  }
  MarkChanged(index);
}

void Trace::ApplyLog(const std::string& digest, const LogChunk& chunk) {
  auto found = internals_->by_digest.find(digest);
  if (found == internals_->by_digest.end()) return;
  std::size_t index = found->second.node;
  Internals::Extra& extra = internals_->extras[index];
  if (chunk.dropped_lines > 0) {
    EndOpenLine(index);
    extra.last_log = std::max(extra.last_log, chunk.timestamp);
    AddLines(index, extra.last_log, {Cat('[', chunk.dropped_lines, " lines dropped]")});
    return;
  }
  extra.last_log = chunk.timestamp;
  const std::size_t number = chunk.stream == 2 ? 1 : 0;
  auto& stream = extra.streams[number];
  if (!stream) stream = std::make_unique<LogFilter>(colours_);
  const bool continues = stream->open();
  std::size_t before = stream->size();
  std::vector<std::string> lines;
  stream->Feed(chunk.data, internals_->open_bytes < kMaxOpenBytes ? kMaxLine : kShortLine, lines);
  internals_->open_bytes -= std::min(internals_->open_bytes, before);
  internals_->open_bytes += stream->size();
  if (!HasOpenLine(index)) {
    open_since_.erase(index);
  } else if (!lines.empty() || !open_since_.contains(index)) {
    open_since_[index] = now_;
  }
  if (!continues || !lines.empty()) {
    const Timestamp began = std::exchange(extra.open_at[number], chunk.timestamp);
    // A line has the time of its first piece.
    if (continues) AddLines(index, began, {std::move(lines.front())});
    if (continues) lines.erase(lines.begin());
    AddLines(index, chunk.timestamp, std::move(lines));
  }
  if (nodes_[index].completed) EndOpenLine(index);
  MarkChanged(index);
}

void Trace::AddLines(std::size_t index, Timestamp when, std::vector<std::string> lines) {
  if (lines.empty()) return;
  TraceNode& node = nodes_[index];
  const std::optional<Timestamp>& start = internals_->extras[index].periods.start;
  const std::string prefix = Cat(Seconds(start ? when - *start : Elapsed{0}), ' ');
  std::size_t first_of_tail = lines.size() - std::min(lines.size(), kTailLines);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::string& line = lines[i];
    line.insert(0, prefix);
    if (i >= first_of_tail) {
      node.tail.push_back(CutLine(line));
      internals_->tail_bytes += node.tail.back().size();
    }
  }
  std::size_t most = internals_->tail_bytes < kMaxTailBytes ? kTailLines : 0;
  while (node.tail.size() > most) {
    internals_->tail_bytes -= node.tail.front().size();
    node.tail.pop_front();
  }
  if (news_.lines.empty() || news_.lines.back().node != index) news_.lines.push_back({index, {}});
  std::vector<std::string>& news = news_.lines.back().lines;
  std::move(lines.begin(), lines.end(), std::back_inserter(news));
  MarkChanged(index);
}

void Trace::ApplyWarning(VertexWarning warning) {
  auto found = internals_->by_digest.find(warning.vertex);
  if (found != internals_->by_digest.end()) {
    news_.warnings.push_back({found->second.node, Harmless(warning.short_text)});
    MarkChanged(found->second.node);
  }
  std::string key = KeyOf(warning);
  std::size_t cost = warning.source.size() + 2 * key.size();
  if (warnings_.size() >= kMaxKeptWarnings) return;
  if (internals_->warning_bytes + cost > kMaxWarningBytes) return;
  if (!internals_->warnings.insert(std::move(key)).second) return;
  internals_->warning_bytes += cost;
  warnings_.push_back(std::move(warning));
}

void Trace::MarkChanged(std::size_t node) {
  if (std::exchange(internals_->extras[node].changed, true)) return;
  news_.changed.push_back(node);
}

}  // namespace depot
