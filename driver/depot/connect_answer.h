#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "driver/depot/connect_client.h"
#include "driver/http/client.h"

namespace depot::api {

/// Why one attempt at a call failed.
struct Failure {
  Error error;
  std::string reason = {};  ///< the same for a line that says that it is tried again
  bool may_pass = false;    ///< trying again may help
  bool undone = false;      ///< the API surely did nothing
  bool silent = false;      ///< there was no answer in the time of the try
  std::optional<std::chrono::seconds> retry_after = {};
};

/// What errors name.
struct Asked {
  std::string method;  ///< CreateBuild
  std::string api;     ///< https://api.depot.dev
  const Caller& caller;
};

/// Reads answers as the Connect protocol has them (connectrpc.com/docs/protocol, unary responses
/// and error codes): an HTTP status, a content type, and JSON {"code", "message"} for failures. A
/// status without such JSON stands for the code that the protocol gives it.

/// Success when the answer has status 200 and content type `type`.
std::optional<Failure> CheckAnswer(const Asked& asked,
                                   const http::Response& answer,
                                   std::string_view type);

/// One envelope: flags, big-endian length, payload (connectrpc.com/docs/protocol, streaming RPCs).
std::string Envelope(std::string_view message);

/// What a stream's answer holds so far.
struct StreamContent {
  std::optional<std::string> message;  ///< the first one
  std::optional<std::string> end;      ///< JSON of the envelope that ends the stream
  bool malformed = false;              ///< no envelopes, or compressed ones
};
StreamContent ReadStream(std::string_view body);

/// The failure that a stream's end tells of; nullopt = none.
std::optional<Failure> CheckEnd(const Asked& asked, const std::string& end);

}  // namespace depot::api
