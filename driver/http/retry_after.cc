#include "driver/http/retry_after.h"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <string>

#include "driver/base/text.h"

namespace depot::http {
namespace {

/// What a server asks for: seconds, seconds since 1970, or a date.
std::optional<std::chrono::seconds> WaitIn(const std::string& text) {
  constexpr std::int64_t kDay = 86400;
  std::int64_t wait = 0;
  std::tm date{};
  if (std::optional<std::uint64_t> number = ParseDecimal(text)) {
    constexpr std::uint64_t kIsADate = 1'000'000'000;
    constexpr std::uint64_t kMost = 100'000'000'000;
    wait = static_cast<std::int64_t>(std::min(*number, kMost));
    if (*number >= kIsADate) wait -= ::time(nullptr);
  } else if (::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) != nullptr) {
    wait = ::timegm(&date) - ::time(nullptr);
  } else {
    return std::nullopt;
  }
  return std::chrono::seconds(std::clamp<std::int64_t>(wait, 0, kDay));
}

}  // namespace

std::optional<std::chrono::seconds> RetryAfter(const Response& response) {
  if (auto wait = WaitIn(response.Header("retry-after"))) return wait;
  if (response.status != 429) return std::nullopt;
  for (const char* header : {"ratelimit-reset", "x-ratelimit-reset", "x-retry-after"}) {
    if (auto wait = WaitIn(response.Header(header))) return wait;
  }
  return std::nullopt;
}

}  // namespace depot::http
