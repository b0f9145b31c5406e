#include "driver/registry/endpoints.h"

#include <utility>

#include "driver/base/text.h"
#include "driver/http/url.h"

namespace depot::registry {
namespace {

constexpr std::chrono::seconds kProbePatience(20);

/// A server of HTTPS tells a plain request so with 400, or sends it elsewhere.
bool IsPlainAnswer(const http::Response& response) {
  return response.status != 400 && (response.status < 300 || response.status >= 400);
}

}  // namespace

Endpoints::Endpoints(http::HttpClient& client, std::set<std::string> insecure)
    : client_(client), insecure_(std::move(insecure)) {}

bool Endpoints::IsLenient(const std::string& host) const {
  return http::IsLoopback(http::HostName(host)) || insecure_.contains(LowerAscii(host));
}

http::Transport Endpoints::TransportOf(const std::string& host) const {
  http::Transport transport;
  transport.verify = !IsLenient(host);
  // A proxy is another machine: its localhost is not ours.
  transport.use_proxy = !http::IsLoopback(http::HostName(host));
  return transport;
}

Result<Endpoint> Endpoints::Find(const std::string& host, const Cancel& cancel) {
  Endpoint endpoint{true, TransportOf(host)};
  if (!IsLenient(host)) return endpoint;
  {
    std::lock_guard lock(mutex_);
    auto found = encrypted_.find(host);
    if (found != encrypted_.end()) {
      endpoint.encrypted = found->second;
      return endpoint;
    }
  }
  http::Request probe;
  probe.url = Cat("http://", host, "/v2/");
  probe.transport = endpoint.transport;
  Result<http::Response> answer = client_.Send(
      probe, cancel.WithTimeout(kProbePatience, Cat("asking ", host, " for plain HTTP")));
  TRY(cancel.Check());
  endpoint.encrypted = !answer || !IsPlainAnswer(*answer);
  // No answer may be one of the failures that pass.
  if (answer) {
    std::lock_guard lock(mutex_);
    encrypted_[host] = endpoint.encrypted;
  }
  return endpoint;
}

}  // namespace depot::registry
