#include "driver/solve/wire.h"

#include <algorithm>

#include "proto/control.pb.h"
#include "proto/gateway.pb.h"

#include "driver/base/json.h"
#include "driver/session/field_reader.h"

namespace depot::solve {
namespace {

namespace control = moby::buildkit::v1;

/// BuildKit's own client takes messages up to 16 MiB; an entry is a step, or a piece of a log.
constexpr std::size_t kMaxStatusEntry = 4 << 20;

/// 1970 to 2100: within these the nanoseconds, and the sum of two differences, fit into 64 bits.
Timestamp FromProto(const control::Timestamp& time) {
  constexpr std::int64_t kLastSecond = 4'102'444'800;
  auto seconds = std::clamp<std::int64_t>(time.seconds(), 0, kLastSecond);
  auto nanos = std::clamp<std::int64_t>(time.nanos(), 0, 999'999'999);
  return Timestamp(std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanos));
}

int LineNumber(std::int32_t line) {
  return std::clamp(line, 0, 1 << 30);
}

template <typename Message>
void SetTimes(const Message& from,
              std::optional<Timestamp>& started,
              std::optional<Timestamp>& completed) {
  if (from.has_started()) started = FromProto(from.started());
  if (from.has_completed()) completed = FromProto(from.completed());
}

/// DockerfileInput()'s steps take what came with the call, which no cache has saved; builders that
/// had the same bytes before call them cached.
bool IsOfTheCall(std::string_view step) {
  return step.starts_with("[internal] load build definition from ") ||
         step == "[internal] load .dockerignore";
}

Vertex ToEvent(control::Vertex& from) {
  Vertex vertex;
  vertex.digest = std::move(*from.mutable_digest());
  vertex.inputs.assign(from.inputs().begin(), from.inputs().end());
  vertex.name = std::move(*from.mutable_name());
  vertex.cached = from.cached() && !IsOfTheCall(vertex.name);
  SetTimes(from, vertex.started, vertex.completed);
  vertex.error = std::move(*from.mutable_error());
  if (from.has_progress_group()) {
    vertex.group_id = from.progress_group().id();
    vertex.group_name = from.progress_group().name();
    vertex.group_weak = from.progress_group().weak();
  }
  return vertex;
}

VertexStatus ToEvent(control::VertexStatus& from) {
  VertexStatus status;
  status.id = std::move(*from.mutable_id());
  status.vertex = std::move(*from.mutable_vertex());
  status.name = std::move(*from.mutable_name());
  status.current = std::max<std::int64_t>(0, from.current());
  status.total = std::max<std::int64_t>(0, from.total());
  status.timestamp = FromProto(from.timestamp());
  SetTimes(from, status.started, status.completed);
  return status;
}

VertexLog ToEvent(control::VertexLog& from) {
  VertexLog log;
  log.vertex = std::move(*from.mutable_vertex());
  log.timestamp = FromProto(from.timestamp());
  log.stream = from.stream() == 2 ? 2 : 1;
  log.data = std::move(*from.mutable_msg());
  return log;
}

VertexWarning ToEvent(control::VertexWarning& from) {
  VertexWarning warning;
  warning.vertex = std::move(*from.mutable_vertex());
  warning.level = static_cast<int>(std::clamp<std::int64_t>(from.level(), 0, 100));
  warning.short_text = std::move(*from.mutable_short_text());
  warning.detail.assign(from.detail().begin(), from.detail().end());
  warning.url = std::move(*from.mutable_url());
  warning.filename = from.info().filename();
  warning.source = from.info().data();
  warning.language = from.info().language();
  for (const control::Range& range : from.ranges()) {
    warning.ranges.push_back({LineNumber(range.start().line()), LineNumber(range.end().line()),
                              LineNumber(range.start().character()),
                              LineNumber(range.end().character())});
  }
  return warning;
}

template <typename Message>
bool EmitOne(std::string_view bytes, EventSink& sink) {
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return false;
  sink.Emit(ToEvent(message));
  return true;
}

/// One entry of StatusResponse's four lists; other fields are skipped.
bool EmitField(std::uint32_t key, std::string_view bytes, EventSink& sink) {
  auto list = [](std::uint32_t number) { return number << 3 | 2; };
  if (key == list(1)) return EmitOne<control::Vertex>(bytes, sink);
  if (key == list(2)) return EmitOne<control::VertexStatus>(bytes, sink);
  if (key == list(3)) return EmitOne<control::VertexLog>(bytes, sink);
  return key != list(4) || EmitOne<control::VertexWarning>(bytes, sink);
}

void AddEntry(const CacheEntry& from, control::CacheOptionsEntry& entry) {
  entry.set_type(from.type);
  entry.mutable_attrs()->insert(from.attrs.begin(), from.attrs.end());
}

/// Frontends read the imports from an attribute (BuildKit frontend/dockerui/config.go).
std::string ImportsAttribute(const std::vector<CacheEntry>& imports) {
  Json list = Json::Array();
  for (const CacheEntry& import : imports) {
    Json attrs = Json::Object();
    for (const auto& [key, value] : import.attrs)
      attrs.Set(key, Json::String(value));
    Json entry = Json::Object();
    entry.Set("Type", Json::String(import.type));
    entry.Set("Attrs", std::move(attrs));
    list.Append(std::move(entry));
  }
  return list.Dump();
}

/// The attributes of the frontend, which the daemon wants in both requests.
std::map<std::string, std::string> FrontendAttrs(const BuildRequest& request) {
  std::map<std::string, std::string> attrs = request.frontend_attrs;
  if (!request.cache_imports.empty()) {
    attrs["cache-imports"] = ImportsAttribute(request.cache_imports);
  }
  for (const auto& [name, session] : request.local_sessions)
    attrs["local-sessionid:" + name] = session;
  return attrs;
}

}  // namespace

std::string EncodeControlSolve(const BuildRequest& request,
                               const std::string& ref,
                               const std::string& session_id) {
  control::SolveRequest message;
  message.set_ref(ref);
  message.set_session(session_id);
  const auto attrs = FrontendAttrs(request);
  message.mutable_frontend_attrs()->insert(attrs.begin(), attrs.end());
  message.set_internal(request.internal || !request.call.empty());
  message.set_source_policy(request.source_policy);
  // Older daemons read it without asking whether it is there.
  control::CacheOptions* cache = message.mutable_cache();
  for (const CacheEntry& entry : request.cache_exports)
    AddEntry(entry, *cache->add_exports());
  for (const CacheEntry& entry : request.cache_imports)
    AddEntry(entry, *cache->add_imports());
  for (const std::string& entitlement : request.entitlements) {
    message.add_entitlements(entitlement);
  }
  for (const Exporter& exporter : request.exporters) {
    control::Exporter* entry = message.add_exporters();
    entry->set_type(exporter.type);
    entry->mutable_attrs()->insert(exporter.attrs.begin(), exporter.attrs.end());
  }
  if (!request.exporters.empty()) {
    const Exporter& first = request.exporters.front();
    message.set_exporter_deprecated(first.type);
    message.mutable_exporter_attrs_deprecated()->insert(first.attrs.begin(), first.attrs.end());
  }
  return message.SerializeAsString();
}

std::string EncodeGatewaySolve(const BuildRequest& request, const FrontendInputs& inputs) {
  control::frontend::SolveRequest message;
  message.set_frontend(request.frontend);
  auto attrs = FrontendAttrs(request);
  if (!request.call.empty()) {
    attrs["requestid"] = "frontend." + request.call;
    // A frontend that does not know the capability says so; others would build.
    std::string& capabilities = attrs["frontend.caps"];
    if (!capabilities.empty()) capabilities += ',';
    capabilities += "moby.buildkit.frontend.subrequests+forward";
  }
  message.mutable_frontend_opt()->insert(attrs.begin(), attrs.end());
  message.set_allow_result_return(true);
  message.set_allow_result_array_ref(true);
  for (const auto* all : {&request.inputs, &inputs})
    for (const auto& [name, definition] : *all)
      (*message.mutable_frontend_inputs())[name].ParseFromString(definition);
  if (request.call.empty() && !request.dockerfile.empty()) {
    (*message.mutable_frontend_inputs())["dockerfile"].ParseFromString(request.dockerfile);
  }
  return message.SerializeAsString();
}

Result<> EmitStatus(std::string_view status_response, EventSink& sink) {
  // One entry at a time: parsed as a whole, 60 MiB of empty entries would become gigabytes.
  session::FieldReader fields(status_response);
  while (fields.Next()) {
    bool fits = fields.bytes().size() <= kMaxStatusEntry;
    if (fits && EmitField(fields.key(), fields.bytes(), sink)) continue;
    return Fail(ErrorCode::kInvalid, "the builder sent a malformed status message");
  }
  if (fields.broken()) {
    return Fail(ErrorCode::kInvalid, "the builder sent a malformed status message");
  }
  return {};
}

}  // namespace depot::solve
