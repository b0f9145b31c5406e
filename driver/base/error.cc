#include "driver/base/error.h"

#include <cctype>
#include <cerrno>
#include <system_error>

#include "driver/base/hints.h"
#include "driver/base/text.h"

namespace depot {

Error Error::While(std::string_view doing) && {
  message_ = Cat(doing, ": ", message_);
  return std::move(*this);
}

Error Error::And(const Error& other) && {
  message_ += Cat("; ", other.message_);
  if (other.hint_ != hint_) hint_ = JoinHints(hint_, other.hint_);
  return std::move(*this);
}

Error Error::WithHint(std::string hint) && {
  hint_ = std::move(hint);
  return std::move(*this);
}

Error Error::WithExcerpt(std::string excerpt) && {
  excerpt_ = std::move(excerpt);
  return std::move(*this);
}

Error Error::WithOriginal(std::string original) && {
  original_ = std::move(original);
  return std::move(*this);
}

Error Error::WithStepExit(int code) && {
  step_exit_ = code;
  return std::move(*this);
}

Error Error::At(FailedAt at) && {
  if (at_ == FailedAt::kUnsaid) at_ = at;
  return std::move(*this);
}

Error Error::WithPlace(FailedPlace place) && {
  if (place_.step.empty()) place_.step = std::move(place.step);
  if (place_.platform.empty()) place_.platform = std::move(place.platform);
  if (place_.builder.empty()) place_.builder = std::move(place.builder);
  return std::move(*this);
}

Error SystemError(std::string_view what, int error_number) {
  ErrorCode code = ErrorCode::kFailed;
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      code = ErrorCode::kNotFound;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = ErrorCode::kDenied;
      break;
    case EEXIST:
      code = ErrorCode::kExists;
      break;
    case ETIMEDOUT:
      code = ErrorCode::kTimeout;
      break;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EHOSTUNREACH:
    case ENETUNREACH:
      code = ErrorCode::kUnavailable;
      break;
    default:
      break;
  }
  std::string text = std::generic_category().message(error_number);
  // Go, and with it the whole Docker world, writes these texts in lower case.
  if (!text.empty()) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  const bool full = error_number == ENOSPC || error_number == EDQUOT || error_number == ENOMEM;
  return Error(code, Cat(what, ": ", text)).At(full ? FailedAt::kResources : FailedAt::kUnsaid);
}

}  // namespace depot
