#include "plugin/deliver/warning_log.h"

#include "driver/base/encode.h"

namespace depot::deliver {
namespace {

constexpr std::size_t kMaxWarnings = 1000;
constexpr std::size_t kMaxBytes = 16 << 20;

/// Go leaves out what is empty.
void SetText(Json& into, std::string_view key, const std::string& text) {
  if (!text.empty()) into.Set(key, Json::String(text));
}

Json PartToJson(int line, int character) {
  Json position = Json::Object();
  if (line != 0) position.Set("line", Json::Number(line));
  if (character != 0) position.Set("character", Json::Number(character));
  return position;
}

Json PartToJson(const VertexWarning& warning) {
  Json json = Json::Object();
  if (warning.level != 0) json.Set("level", Json::Number(warning.level));
  SetText(json, "short", Base64(warning.short_text));
  for (const std::string& line : warning.detail) {
    Json lines = json["detail"];
    lines.Append(Json::String(Base64(line)));
    json.Set("detail", std::move(lines));
  }
  SetText(json, "url", warning.url);
  Json source = Json::Object();
  SetText(source, "filename", warning.filename);
  SetText(source, "data", Base64(warning.source));
  SetText(source, "language", warning.language);
  if (source.size() > 0) json.Set("sourceInfo", std::move(source));
  Json ranges = Json::Array();
  for (const SourceRange& range : warning.ranges) {
    Json one = Json::Object();
    one.Set("start", PartToJson(range.start_line, range.start_character));
    one.Set("end", PartToJson(range.end_line, range.end_character));
    ranges.Append(std::move(one));
  }
  if (ranges.size() > 0) json.Set("range", std::move(ranges));
  return json;
}

}  // namespace

void WarningLog::Emit(Event event) {
  if (const auto* warning = std::get_if<VertexWarning>(&event)) {
    std::lock_guard lock(mutex_);
    Json json = PartToJson(*warning);
    std::string key = json.Dump();
    const bool room = known_.size() < kMaxWarnings && bytes_ + key.size() <= kMaxBytes;
    const std::size_t size = key.size();
    if (room && known_.insert(std::move(key)).second) {
      bytes_ += size;
      SetText(json, "vertex", warning->vertex);
      warnings_.Append(std::move(json));
    }
  }
  sink_.Emit(std::move(event));
}

std::string WarningLog::Value() const {
  std::lock_guard lock(mutex_);
  return warnings_.size() == 0 ? "" : Base64(warnings_.Dump());
}

}  // namespace depot::deliver
