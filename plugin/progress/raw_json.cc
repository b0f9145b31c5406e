#include "plugin/progress/raw_json.h"

#include <cstdio>
#include <ctime>
#include <tuple>
#include <utility>
#include <variant>

#include "driver/base/encode.h"
#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/event/step.h"

namespace depot {
namespace {

constexpr std::size_t kDocumentCost = 256;

std::size_t EventCost(const Event& event) {
  const auto* log = std::get_if<VertexLog>(&event);
  const auto* warning = std::get_if<VertexWarning>(&event);
  const auto* vertex = std::get_if<Vertex>(&event);
  return kDocumentCost + (log != nullptr ? log->data.size() : 0) +
         (warning != nullptr ? warning->source.size() : 0) +
         (vertex != nullptr ? vertex->inputs.size() * kDocumentCost + vertex->error.size() : 0);
}

/// RFC 3339 in UTC, without zeros at the end of the second's fraction, as Go writes a time.Time.
Json Time(Timestamp when) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(when);
  const std::time_t since_1970 = seconds.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&since_1970, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::string out = text;
  const auto nanoseconds = static_cast<long long>((when - seconds).count());
  if (nanoseconds != 0) {
    std::snprintf(text, sizeof text, ".%09lld", nanoseconds);
    out += text;
    while (out.back() == '0')
      out.pop_back();
  }
  return Json::String(out + 'Z');
}

/// Go leaves out what is empty.
void SetText(Json& object, std::string_view key, std::string_view text) {
  if (!text.empty()) object.Set(key, Json::String(text));
}

void SetNumber(Json& object, std::string_view key, std::int64_t number) {
  if (number != 0) object.Set(key, Json::Number(number));
}

void SetTime(Json& object, std::string_view key, const std::optional<Timestamp>& when) {
  if (when) object.Set(key, Time(*when));
}

/// The lists of one line.
struct Status {
  Json vertexes = Json::Array();
  Json statuses = Json::Array();
  Json logs = Json::Array();
  Json warnings = Json::Array();

  void Add(const Vertex& vertex);
  void Add(const VertexStatus& status);
  void Add(const VertexLog& log);
  void Add(const VertexWarning& warning);
  void Add(const Notice& /*notice*/) {}  // Put() makes a vertex of it
  std::string Line() const;
};

void Status::Add(const Vertex& vertex) {
  Json object = Json::Object();
  object.Set("digest", Json::String(vertex.digest));
  Json inputs = Json::Array();
  for (const std::string& input : vertex.inputs)
    inputs.Append(Json::String(input));
  if (inputs.size() > 0) object.Set("inputs", std::move(inputs));
  SetText(object, "name", RedactUrls(vertex.name));
  SetTime(object, "started", vertex.started);
  SetTime(object, "completed", vertex.completed);
  if (vertex.cached) object.Set("cached", Json::Bool(true));
  SetText(object, "error", RedactUrls(vertex.error));
  if (!vertex.group_id.empty()) {
    Json group = Json::Object();
    group.Set("id", Json::String(vertex.group_id));
    SetText(group, "name", RedactUrls(vertex.group_name));
    if (vertex.group_weak) group.Set("weak", Json::Bool(true));
    object.Set("progressGroup", std::move(group));
  }
  vertexes.Append(std::move(object));
}

void Status::Add(const VertexStatus& status) {
  Json object = Json::Object();
  object.Set("id", Json::String(RedactUrls(status.id)));
  SetText(object, "vertex", status.vertex);
  SetText(object, "name", status.name);
  SetNumber(object, "total", status.total);
  object.Set("current", Json::Number(status.current));
  object.Set("timestamp", Time(status.timestamp));
  SetTime(object, "started", status.started);
  SetTime(object, "completed", status.completed);
  statuses.Append(std::move(object));
}

void Status::Add(const VertexLog& log) {
  Json object = Json::Object();
  SetText(object, "vertex", log.vertex);
  SetNumber(object, "stream", log.stream);
  object.Set("data", Json::String(Base64(log.data)));
  object.Set("timestamp", Time(log.timestamp));
  logs.Append(std::move(object));
}

Json RangeOf(const SourceRange& range) {
  Json out = Json::Object();
  for (auto [key, line, character] : {std::tuple("start", range.start_line, range.start_character),
                                      {"end", range.end_line, range.end_character}}) {
    Json place = Json::Object();
    SetNumber(place, "line", line);
    SetNumber(place, "character", character);
    out.Set(key, std::move(place));
  }
  return out;
}

void Status::Add(const VertexWarning& warning) {
  Json object = Json::Object();
  SetText(object, "vertex", warning.vertex);
  SetNumber(object, "level", warning.level);
  SetText(object, "short", Base64(warning.short_text));
  for (const std::string& line : warning.detail) {
    Json detail = object["detail"];
    detail.Append(Json::String(Base64(line)));
    object.Set("detail", std::move(detail));
  }
  SetText(object, "url", warning.url);
  if (!warning.filename.empty() || !warning.source.empty()) {
    Json source = Json::Object();
    SetText(source, "filename", warning.filename);
    SetText(source, "data", Base64(warning.source));
    SetText(source, "language", warning.language);
    object.Set("sourceInfo", std::move(source));
  }
  Json ranges = Json::Array();
  for (const SourceRange& range : warning.ranges)
    ranges.Append(RangeOf(range));
  if (ranges.size() > 0) object.Set("range", std::move(ranges));
  warnings.Append(std::move(object));
}

std::string Status::Line() const {
  Json object = Json::Object();
  for (auto [key, list] : {std::pair("vertexes", &vertexes),
                           {"statuses", &statuses},
                           {"logs", &logs},
                           {"warnings", &warnings}}) {
    if (list->size() > 0) object.Set(key, *list);
  }
  return object.size() == 0 ? "" : Cat(object.Dump(), '\n');
}

/// A line of ours, as a step that begins and ends at once.
Vertex NoticeVertex(std::size_t number, std::string text) {
  Vertex vertex;
  vertex.digest = Cat("notice:", number);
  vertex.name = std::move(text);
  vertex.started = vertex.completed = Now();
  return vertex;
}

}  // namespace

void RawJson::Put(Event event) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  if (const auto* notice = std::get_if<Notice>(&event)) {
    event = NoticeVertex(++notices_, notice->text);
  }
  if (cost_ >= most_bytes_) {
    const auto* log = std::get_if<VertexLog>(&event);
    if (log != nullptr && dropped_.size() < 1000) ++dropped_[log->vertex];
    const bool too_much = log == nullptr && cost_ >= 2 * most_bytes_;
    if (too_much) ++left_out_;
    if (log != nullptr || too_much) return;
  }
  cost_ += EventCost(event);
  events_.push_back(std::move(event));
  changed_.notify_one();
}

bool RawJson::Wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || !events_.empty(); });
  return !events_.empty();
}

std::string RawJson::Take() {
  std::vector<Event> events;
  std::map<std::string, std::size_t> dropped;
  {
    std::lock_guard lock(mutex_);
    events.swap(events_);
    dropped.swap(dropped_);
    cost_ = 0;
    if (left_out_ > 0) {
      events.push_back(NoticeVertex(++notices_, Cat(left_out_, " events of the builder left out")));
    }
    left_out_ = 0;
  }
  Status status;
  for (const Event& event : events)
    std::visit([&status](const auto& one) { status.Add(one); }, event);
  for (const auto& [vertex, pieces] : dropped) {
    status.Add(VertexLog{vertex, Now(), 2, Cat("[", pieces, " pieces of output dropped]\n")});
  }
  return status.Line();
}

void RawJson::Close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

}  // namespace depot
