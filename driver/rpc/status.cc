#include "driver/rpc/status.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::rpc {

Error ToError(const Status& status) {
  ErrorCode code = ErrorCode::kFailed;
  switch (status.code) {
    case Code::kCancelled:
      code = ErrorCode::kCancelled;
      break;
    case Code::kInvalidArgument:
    case Code::kOutOfRange:
      code = ErrorCode::kInvalid;
      break;
    case Code::kDeadlineExceeded:
      code = ErrorCode::kTimeout;
      break;
    case Code::kNotFound:
      code = ErrorCode::kNotFound;
      break;
    case Code::kAlreadyExists:
      code = ErrorCode::kExists;
      break;
    case Code::kPermissionDenied:
    case Code::kUnauthenticated:
      code = ErrorCode::kDenied;
      break;
    case Code::kUnimplemented:
      code = ErrorCode::kUnsupported;
      break;
    case Code::kUnavailable:
      code = ErrorCode::kUnavailable;
      break;
    default:
      break;
  }
  std::string message = RedactUrls(Printable(status.message));
  if (message.empty()) message = Cat("gRPC status ", static_cast<int>(status.code));
  return Error(code, std::move(message));
}

Status ToStatus(const Error& error) {
  Code code = Code::kUnknown;
  switch (error.code()) {
    case ErrorCode::kUsage:
    case ErrorCode::kInvalid:
      code = Code::kInvalidArgument;
      break;
    case ErrorCode::kNotFound:
      code = Code::kNotFound;
      break;
    case ErrorCode::kExists:
      code = Code::kAlreadyExists;
      break;
    case ErrorCode::kDenied:
      code = Code::kPermissionDenied;
      break;
    case ErrorCode::kUnavailable:
      code = Code::kUnavailable;
      break;
    case ErrorCode::kTimeout:
      code = Code::kDeadlineExceeded;
      break;
    case ErrorCode::kCancelled:
      code = Code::kCancelled;
      break;
    case ErrorCode::kUnsupported:
      code = Code::kUnimplemented;
      break;
    case ErrorCode::kFailed:
    case ErrorCode::kInternal:
      break;
  }
  return {code, error.message(), ""};
}

}  // namespace depot::rpc
