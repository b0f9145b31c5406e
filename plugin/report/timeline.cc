#include "plugin/report/timeline.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/report/timeline_page.h"

namespace depot::report {
namespace {

constexpr std::size_t kMostRuns = 50;
constexpr std::size_t kMostParts = 100;

/// MakeLabelledSink() marks the steps of each of several builders.
std::string BuilderOf(const std::string& digest) {
  const std::size_t at = digest.find('@');
  return at == std::string::npos ? "" : digest.substr(at + 1);
}

/// Steps of ours have the right time already (driver/event/step.h).
bool IsOurs(const std::string& digest) {
  return digest.starts_with("step:");
}

}  // namespace

void Timeline::Take(const Event& event, Timestamp now) {
  if (const auto* vertex = std::get_if<Vertex>(&event)) return TakeVertex(*vertex, now);
  if (const auto* log = std::get_if<VertexLog>(&event)) return TakeLog(*log);
  const auto* status = std::get_if<VertexStatus>(&event);
  if (status == nullptr) return;
  auto found = steps_.find(status->vertex);
  if (found == steps_.end() || status->current <= 0) return;
  auto& bytes = found->second.step.bytes;
  if (bytes.size() < kMostParts || bytes.contains(status->id)) bytes[status->id] = status->current;
}

/// The difference is that of the first news of a builder: what it tells has just happened.
Timestamp Timeline::OurTime(const std::string& digest, Timestamp theirs, Timestamp now) {
  if (IsOurs(digest)) return theirs;
  return theirs + clocks_.emplace(BuilderOf(digest), now - theirs).first->second;
}

void Timeline::TakeVertex(const Vertex& vertex, Timestamp now) {
  auto found = steps_.find(vertex.digest);
  if (found == steps_.end()) {
    if (steps_.size() >= kMostSteps) {
      ++left_out_;
      return;
    }
    found = steps_.emplace(vertex.digest, Kept()).first;
    order_.push_back(vertex.digest);
  }
  TimelineStep& step = found->second.step;
  step.name = vertex.name;
  step.cached |= vertex.cached;
  step.error = vertex.error;
  if (!vertex.started) return;
  const Timestamp start = OurTime(vertex.digest, *vertex.started, now);
  const bool again = step.runs.empty() || step.runs.back().start != start;
  if (again && step.runs.size() < kMostRuns) step.runs.push_back({start, {}});
  if (vertex.completed) step.runs.back().end = OurTime(vertex.digest, *vertex.completed, now);
}

void Timeline::TakeLog(const VertexLog& log) {
  auto found = steps_.find(log.vertex);
  if (found == steps_.end()) return;
  std::vector<std::string> lines;
  found->second.filters.try_emplace(log.stream == 2 ? 2 : 1, false)
      .first->second.Feed(log.data, kLineBytes, lines);
  std::deque<std::string>& tail = found->second.step.tail;
  for (std::string& line : lines) {
    tail.push_back(std::move(line));
    if (tail.size() > kTailLines) tail.pop_front();
  }
}

std::string Timeline::Page(const std::string& title,
                           const std::string& error,
                           Timestamp now) const {
  std::vector<const TimelineStep*> steps;
  for (const std::string& digest : order_) {
    const TimelineStep& step = steps_.at(digest).step;
    if (!step.runs.empty()) steps.push_back(&step);
  }
  return TimelinePage({title, error, steps, left_out_, now});
}

}  // namespace depot::report
