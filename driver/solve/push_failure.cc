#include "driver/solve/push_failure.h"

#include <algorithm>

#include "driver/base/text.h"
#include "driver/solve/registry_status.h"

namespace depot::solve {
namespace {

/// Verdicts: they come before what else the same text may hold.
constexpr std::string_view kJudged[] = {
    "400 Bad Request",
    "401 Unauthorized",
    "403 Forbidden",
    "404 Not Found",
    "413 Request Entity Too Large",
    "insufficient_scope",
    "access denied",
    "denied: ",
    "unauthorized: ",
    "authorization failed",
    "no basic auth credentials",
    "certificate signed by unknown authority",
    "certificate is not valid for",
    "certificate has expired",
    "server gave HTTP response to HTTPS client",
    "no such host",
};

constexpr std::string_view kPassing[] = {
    "408 Request Timeout",
    "429 Too Many Requests",
    "toomanyrequests",
    "500 Internal Server Error",
    "502 Bad Gateway",
    "503 Service Unavailable",
    "504 Gateway Time",
    "connection refused",
    "connection reset by peer",
    "connection timed out",
    "broken pipe",
    "unexpected EOF",
    ": EOF",
    "i/o timeout",
    "TLS handshake timeout",
    "Client.Timeout exceeded",
    "context deadline exceeded",
    "timeout awaiting response headers",
    "no route to host",
    "network is unreachable",
    "server closed idle connection",
    "server sent GOAWAY",
    "use of closed network connection",
    "stream error: ",
    "Temporary failure in name resolution",
    "server misbehaving",
};

template <std::size_t kCount>
bool HoldsOneOf(std::string_view text, const std::string_view (&all)[kCount]) {
  return std::any_of(std::begin(all), std::end(all), [&](std::string_view one) {
    return text.find(one) != std::string_view::npos;
  });
}

/// A registry that let an upload begin and refuses its end knows us, and has seen the token expire
/// meanwhile (containerd remotes/docker/pusher.go asks for none there).
bool TokenExpired(std::string_view text) {
  const std::size_t commit = text.find("failed commit on ref ");
  return commit != std::string_view::npos &&
         text.find("401 Unauthorized", commit) != std::string_view::npos;
}

}  // namespace

bool PushesSomething(const BuildRequest& request) {
  return std::any_of(
      request.exporters.begin(), request.exporters.end(), [](const Exporter& exporter) {
        auto push = exporter.attrs.find("push");
        return push != exporter.attrs.end() && ParseBool(push->second).value_or(false);
      });
}

bool PushMayPass(const rpc::Status& status, const BuildRequest& request) {
  const std::string text = WithStandardStatus(status.message);
  const bool of_push = status.told && text.find("failed to push ") != std::string::npos;
  if (!of_push || !PushesSomething(request)) return false;
  if (TokenExpired(text)) return true;
  if (HoldsOneOf(text, kJudged)) return false;
  const bool said =
      status.code == rpc::Code::kUnavailable || status.code == rpc::Code::kDeadlineExceeded;
  return said || HoldsOneOf(text, kPassing);
}

bool LayerWasTaken(const rpc::Status& status) {
  const std::string_view text = status.message;
  return status.told && text.find("failed to commit ") != std::string_view::npos &&
         text.find(" does not exist: not found") != std::string_view::npos;
}

bool SnapshotWasLeft(const rpc::Status& status) {
  const std::string_view text = status.message;
  const std::size_t rename = text.find("failed to rename: rename ");
  return status.told && rename != std::string_view::npos &&
         text.find("/snapshots/new-", rename) != std::string_view::npos &&
         text.find(": file exists", rename) != std::string_view::npos;
}

}  // namespace depot::solve
