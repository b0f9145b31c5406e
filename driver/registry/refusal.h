#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "driver/base/result.h"
#include "driver/http/client.h"
#include "driver/registry/authorizer.h"

namespace depot::registry {

/// Whether the same request may well succeed a moment later: a lost connection, 429, 500, 502, 503,
/// 504.
bool MayPass(const Result<http::Response>& outcome);

/// Sends as `client` does. A server that cannot be trusted has refused nobody: trouble with TLS is
/// kFailed here, and kDenied in this room always about credentials.
Result<http::Response> SendTo(http::HttpClient& client,
                              const http::Request& request,
                              const Cancel& cancel);

/// The seconds of a Retry-After header, in either of its forms; nullopt without one (RFC 9110,
/// 10.2.3). A time in the past is 0.
std::optional<std::chrono::seconds> RetryAfter(const http::Response& response);

/// Who was asked, and with which credentials; for an error.
struct Asked {
  std::string host;
  std::string credentials;  ///< SourcesOf() what was tried; "" = none
  Proof proof;              ///< what the server may echo and nobody may read
};

/// The command that stores credentials for a host.
std::string LoginCommand(const std::string& host);

/// What a failure status means, with the registry's own code and message (distribution spec,
/// error codes): kDenied for 401 and 403, kNotFound, kUnavailable when it MayPass(), else kFailed.
Error Refusal(const http::Response& response, const Asked& asked);

}  // namespace depot::registry
