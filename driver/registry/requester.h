#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/http/client.h"
#include "driver/registry/authorizer.h"
#include "driver/registry/endpoints.h"

namespace depot::registry {

/// What gets a blob, in pieces, and nothing of redirects and refusals. A blob may come several
/// times: when an attempt fails, or when what came was the page of a captive portal.
struct BlobSink {
  std::function<Result<>()> restart;  ///< what came so far is void
  std::function<Result<>(std::string_view piece)> write;
};

/// What gives a blob, in pieces, once or several times.
struct BlobSource {
  std::function<Result<>()> restart;  ///< before the first piece, each time
  /// Fills the buffer, returns the count, 0 = the end.
  std::function<Result<std::size_t>(char* into, std::size_t capacity)> read;
};

/// The status of a request whose condition does not hold (RFC 9110, 15.5.13).
inline constexpr int kChanged = 412;

/// One request to a repository.
struct RegistryCall {
  std::string method = "GET";
  std::string path;  ///< below /v2/NAME/: "manifests/latest"
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  const BlobSource* source = nullptr;  ///< in place of `body`; outlives the call
  const BlobSink* sink = nullptr;      ///< gets the answer when it is a success; outlives the call
  std::size_t max_body = 64 << 10;     ///< of the answer, bytes; does not count for `sink`
  std::chrono::seconds patience{60};   ///< for one attempt
  std::chrono::seconds silence{0};     ///< how long nothing may move; 0 = as long as `patience`
  bool may_be_missing = false;         ///< status 404 is an answer, not a failure
  bool may_have_changed = false;       ///< and so is kChanged
  std::string doing;                   ///< for people: "reading the manifest latest of a/b"
};

/// Sends requests to one repository. It finds out how the registry is spoken to, proves who the
/// user is, follows up to 5 redirects of what is read (credentials go to the registry alone, and an
/// encrypted connection never leads to a plain one), and tries again what MayPass(), within the
/// limits of Attempts. Each new attempt is a line to `say`. Any thread.
class Requester {
 public:
  /// The references outlive it; `name` is the repository's path.
  Requester(http::HttpClient& client,
            Endpoints& endpoints,
            Authorizer& authorizer,
            std::string host,
            std::string name,
            std::function<void(std::string)> say);

  /// The answer with a status of 2xx, or another that was allowed; anything else is an Error that
  /// says what was being done, who refused and why (Refusal()).
  Result<http::Response> Send(const RegistryCall& call, const Cancel& cancel);

  /// What came back, and in answer to what.
  struct Answer {
    http::Response response;
    Proof proof;
    bool from_registry = true;  ///< false: from where a redirect led to
  };

  /// One attempt, and its answer whatever the status. It takes as long as `cancel` lets it, without
  /// `call.patience`. An Error of kDenied means that the credentials were refused on the way to a
  /// token.
  Result<Answer> Ask(const RegistryCall& call, const Cancel& cancel);

  /// What the status of such an answer means when it is a failure (Refusal()).
  Error Explain(const Answer& answer);

 private:
  Result<Answer> SendAlong(const RegistryCall& call, const Proof& proof, const Cancel& cancel);
  void SayRetry(const RegistryCall& call,
                const Result<http::Response>& outcome,
                const std::string& next);

  http::HttpClient& client_;
  Endpoints& endpoints_;
  Authorizer& authorizer_;
  const std::string host_;
  const std::string name_;
  const std::function<void(std::string)> say_;
};

}  // namespace depot::registry
