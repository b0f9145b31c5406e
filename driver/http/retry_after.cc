#include "driver/http/retry_after.h"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <string>

#include "driver/base/text.h"

namespace depot::http {

std::optional<std::chrono::seconds> RetryAfter(const Response& response) {
  constexpr std::int64_t kDay = 86400;
  const std::string text = response.Header("retry-after");
  if (const auto seconds = ParseDecimal(text)) {
    return std::chrono::seconds(std::min<std::uint64_t>(*seconds, kDay));
  }
  std::tm time{};
  if (::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time) == nullptr) return std::nullopt;
  return std::chrono::seconds(std::clamp<std::int64_t>(::timegm(&time) - ::time(nullptr), 0, kDay));
}

}  // namespace depot::http
