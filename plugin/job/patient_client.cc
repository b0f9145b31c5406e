#include "plugin/job/patient_client.h"

#include "driver/event/patience.h"
#include "driver/http/url.h"

namespace depot::job {
namespace {

std::string NameOf(const http::Request& request) {
  if (!request.peer.empty()) return request.peer;
  return http::OriginOf(request.url);
}

}  // namespace

Result<http::Response> PatientClient::Send(const http::Request& request, const Cancel& cancel) {
  EventSink* sink = sink_;
  if (sink == nullptr) return client_->Send(request, cancel);
  Awaited who{NameOf(request)};
  if (request.body_source || request.body_sink) {
    who.limit = longest_;
    who.hint = "it took the connection and fell silent: is it stopped, or overloaded?";
  }
  Patience patience(*sink, std::move(who), cancel);
  http::Request watched = request;
  if (request.body_source) {
    watched.body_source = [&](char* into, std::size_t capacity) {
      patience.Rest();
      Result<std::size_t> got = request.body_source(into, capacity);
      patience.Heard();
      return got;
    };
  }
  if (request.body_sink) {
    watched.body_sink = [&](std::string_view data) {
      patience.Heard();
      return request.body_sink(data);
    };
  }
  return client_->Send(watched, patience.cancel());
}

}  // namespace depot::job
