#include "driver/solve/wire.h"

#include <algorithm>

#include "proto/control.pb.h"
#include "proto/gateway.pb.h"

namespace depot::solve {
namespace {

namespace control = moby::buildkit::v1;

Timestamp FromProto(const control::Timestamp& time) {
  return Timestamp(std::chrono::seconds(time.seconds()) + std::chrono::nanoseconds(time.nanos()));
}

template <typename Message>
void SetTimes(const Message& from,
              std::optional<Timestamp>& started,
              std::optional<Timestamp>& completed) {
  if (from.has_started()) started = FromProto(from.started());
  if (from.has_completed()) completed = FromProto(from.completed());
}

Vertex ToEvent(control::Vertex& from) {
  Vertex vertex;
  vertex.digest = std::move(*from.mutable_digest());
  vertex.inputs.assign(from.inputs().begin(), from.inputs().end());
  vertex.name = std::move(*from.mutable_name());
  vertex.cached = from.cached();
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
  status.current = from.current();
  status.total = from.total();
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
  for (const control::Range& range : from.ranges()) {
    warning.ranges.push_back({range.start().line(), range.end().line()});
  }
  return warning;
}

}  // namespace

std::string EncodeControlSolve(const BuildRequest& request,
                               const std::string& ref,
                               const std::string& session_id) {
  control::SolveRequest message;
  message.set_ref(ref);
  message.set_session(session_id);
  message.mutable_frontend_attrs()->insert(request.frontend_attrs.begin(),
                                           request.frontend_attrs.end());
  // Older daemons read it without asking whether it is there.
  message.mutable_cache();
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

std::string EncodeGatewaySolve(const BuildRequest& request) {
  control::frontend::SolveRequest message;
  message.set_frontend(request.frontend);
  message.mutable_frontend_opt()->insert(request.frontend_attrs.begin(),
                                         request.frontend_attrs.end());
  message.set_allow_result_return(true);
  message.set_allow_result_array_ref(true);
  return message.SerializeAsString();
}

Result<> EmitStatus(std::string_view status_response, EventSink& sink) {
  control::StatusResponse message;
  if (!message.ParseFromArray(status_response.data(), static_cast<int>(status_response.size()))) {
    return Fail(ErrorCode::kInvalid, "the builder sent a malformed status message");
  }
  for (control::Vertex& vertex : *message.mutable_vertexes())
    sink.Emit(ToEvent(vertex));
  for (control::VertexStatus& status : *message.mutable_statuses())
    sink.Emit(ToEvent(status));
  for (control::VertexLog& log : *message.mutable_logs())
    sink.Emit(ToEvent(log));
  for (control::VertexWarning& warning : *message.mutable_warnings())
    sink.Emit(ToEvent(warning));
  return {};
}

}  // namespace depot::solve
