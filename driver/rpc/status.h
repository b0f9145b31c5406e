#pragma once

#include <string>

#include "driver/base/error.h"

namespace depot::rpc {

/// gRPC status codes (grpc/doc/statuscodes.md).
enum class Code {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

/// How a call ended.
struct Status {
  Code code = Code::kOk;
  std::string message;
  std::string details;  ///< bytes of grpc-status-details-bin: a google.rpc.Status, or empty
  /// The peer's own word; false: what we make of a call that ended without one, since the
  /// connection or a proxy on the way failed, or since we cancelled it.
  bool told = false;

  bool ok() const { return code == Code::kOk; }
};

/// The Error for a failed status without details: same text, nearest ErrorCode.
Error ToError(const Status& status);

/// The status that tells a peer of `error`.
Status ToStatus(const Error& error);

}  // namespace depot::rpc
