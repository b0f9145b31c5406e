#include "plugin/options/go_duration.h"

#include <algorithm>
#include <limits>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::options {
namespace {

std::int64_t NanosecondsOf(std::string_view unit) {
  if (unit == "h") return 3'600'000'000'000;
  if (unit == "m") return 60'000'000'000;
  if (unit == "s") return 1'000'000'000;
  if (unit == "ms") return 1'000'000;
  return 0;
}

}  // namespace

Result<std::int64_t> ParseGoDuration(const std::string& text) {
  const auto bad = Fail(ErrorCode::kUsage,
                        Cat('"', Printable(text.substr(0, 100)), "\" is no duration such as 24h"));
  std::string_view rest = text;
  std::int64_t total = 0;
  if (rest.empty()) return bad;
  while (!rest.empty()) {
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    auto number = ParseDecimal(rest.substr(0, digits));
    rest.remove_prefix(digits);
    const std::size_t unit = std::min(rest.find_first_of("0123456789"), rest.size());
    const std::int64_t each = NanosecondsOf(rest.substr(0, unit));
    if (!number || each == 0 || *number > 1'000'000) return bad;
    total += static_cast<std::int64_t>(*number) * each;
    if (total < 0 || total > std::numeric_limits<std::int64_t>::max() / 4) return bad;
    rest.remove_prefix(unit);
  }
  return total;
}

}  // namespace depot::options
