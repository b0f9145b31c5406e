#pragma once

#include <chrono>
#include <optional>

#include "driver/http/client.h"

namespace depot::http {

/// How long the server wants to be left alone: its Retry-After header, in either of its forms (RFC
/// 9110, 10.2.3); of a 429 also the ends of rate limits as GitLab and Docker Hub write them
/// (RateLimit-Reset, X-RateLimit-Reset, X-Retry-After: seconds, or seconds since 1970). At most a
/// day; a time in the past is 0; nullopt without any.
std::optional<std::chrono::seconds> RetryAfter(const Response& response);

}  // namespace depot::http
