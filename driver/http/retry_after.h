#pragma once

#include <chrono>
#include <optional>

#include "driver/http/client.h"

namespace depot::http {

/// The seconds of a Retry-After header, in either of its forms; nullopt without one (RFC 9110,
/// 10.2.3). A time in the past is 0, more than a day is a day.
std::optional<std::chrono::seconds> RetryAfter(const Response& response);

}  // namespace depot::http
