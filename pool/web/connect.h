#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "pool/web/server.h"

namespace depot::web {

/// The Connect protocol's error codes that the pool uses (connectrpc.com/docs/protocol, error
/// codes).
enum class RpcCode {
  kInvalidArgument,
  kUnauthenticated,
  kPermissionDenied,
  kNotFound,
  kFailedPrecondition,
  kResourceExhausted,
  kUnimplemented,
  kUnavailable,
  kInternal,
};

/// The code as the protocol spells it: "not_found".
std::string_view NameOf(RpcCode code);

/// An RPC's failure, for the client to read.
struct RpcError {
  RpcCode code = RpcCode::kInternal;
  std::string message;
};

/// The body of a unary request of `application/proto`; another content type is answered 415, a
/// compressed body with unimplemented. Never throws.
std::variant<Response, std::string_view> UnaryBody(const Request& request);

/// 200 with the serialized message.
Response UnaryAnswer(std::string message);

/// The HTTP status that belongs to the code, and {"code":..., "message":...}.
Response UnaryFailure(const RpcError& error);

/// A server stream of one message and its end, or of an end that is an error (HTTP 200 either way;
/// application/connect+proto).
Response StreamAnswer(std::string_view message);
Response StreamFailure(const RpcError& error);

/// The one message of a server-streaming call's request (application/connect+proto).
std::variant<Response, std::string> StreamRequestBody(const Request& request);

/// Reads a client stream: `take` gets each message; at the end the answer is an empty message.
/// Messages are limited to 4 MiB; a compressed one is an error.
std::unique_ptr<BodyReader> ReadMessages(std::function<Result<>(std::string_view message)> take);

}  // namespace depot::web
