#pragma once

#include <string>
#include <string_view>

#include "driver/base/result.h"
#include "driver/http/client.h"
#include "driver/registry/authorizer.h"

namespace depot::registry {

/// Whether the same request may well succeed a moment later: a lost connection, 429, 500, 502, 503,
/// 504.
bool MayPass(const Result<http::Response>& outcome);

/// Whether the registry itself has answered, as far as that shows: with one of its headers, with an
/// errors document, or with a challenge that can be met (distribution spec, error codes and API
/// versions). A firewall, a proxy or a captive portal answers 403 or even 200 in a form of its own;
/// what it says is no verdict about anybody's rights, and true for this machine only. Successes are
/// believed unless they are web pages.
bool IsFromRegistry(const http::Response& response);

/// "status 403 with a web page": what somebody else than the asked has answered, for an error.
std::string DescribeStranger(const http::Response& response);

/// What to do when another machine answers in the asked one's place.
std::string StrangerHint();

/// Sends as `client` does. A server that cannot be trusted has refused nobody: trouble with TLS is
/// kFailed here, and kDenied in this room always about credentials.
Result<http::Response> SendTo(http::HttpClient& client,
                              const http::Request& request,
                              const Cancel& cancel);

/// Who was asked, and with which credentials; for an error.
struct Asked {
  std::string host;
  std::string credentials;  ///< SourcesOf() what was tried; "" = none
  Proof proof;              ///< what the server may echo and nobody may read
};

/// The command that stores credentials for a host.
std::string LoginCommand(const std::string& host);

/// What a failure status means, with the registry's own code and message (distribution spec,
/// error codes): kDenied for 401 and 403, kNotFound, kUnavailable when it MayPass(), else kFailed;
/// kInvalid for a 401, 403 or 2xx that is not IsFromRegistry().
Error Refusal(const http::Response& response, const Asked& asked);

}  // namespace depot::registry
