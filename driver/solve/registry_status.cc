#include "driver/solve/registry_status.h"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "driver/base/text.h"

namespace depot::solve {
namespace {

constexpr std::string_view kStatuses[] = {
    "400 Bad Request",         "401 Unauthorized",          "403 Forbidden",
    "404 Not Found",           "408 Request Timeout",       "413 Request Entity Too Large",
    "429 Too Many Requests",   "500 Internal Server Error", "502 Bad Gateway",
    "503 Service Unavailable", "504 Gateway Timeout",
};

/// The first number of three digits that stands alone behind ": "; "" = there is none.
std::string_view StatusIn(std::string_view text) {
  constexpr std::string_view kBefore = ": ";
  for (std::size_t at = text.find(kBefore); at != std::string_view::npos;
       at = text.find(kBefore, at + 1)) {
    const std::string_view rest = text.substr(at + kBefore.size());
    const std::string_view number = rest.substr(0, 3);
    const bool ends = rest.size() <= 3 || !std::isalnum(static_cast<unsigned char>(rest[3]));
    if (number.size() == 3 && ends && ParseDecimal(number)) return number;
  }
  return "";
}

}  // namespace

std::string WithStandardStatus(std::string_view text) {
  const std::size_t said = text.find("unexpected status");
  if (said == std::string_view::npos) return std::string(text);
  const std::string_view number = StatusIn(text.substr(said));
  const auto* status = std::find_if(
      std::begin(kStatuses), std::end(kStatuses),
      [&](std::string_view one) { return !number.empty() && one.starts_with(number); });
  if (status == std::end(kStatuses)) return std::string(text);
  return Cat(text, " (", *status, ')');
}

}  // namespace depot::solve
