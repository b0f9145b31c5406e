#include "plugin/command/cache_filter.h"

#include <algorithm>
#include <map>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/options/go_duration.h"

namespace depot::command {
namespace {

std::size_t DigitsOf(std::string_view text) {
  return std::min(text.find_first_not_of("0123456789"), text.size());
}

}  // namespace

Result<std::int64_t> ParseBytes(const std::string& text) {
  const std::string lower = LowerAscii(text);
  const std::size_t digits = DigitsOf(lower);
  auto number = ParseDecimal(lower.substr(0, digits));
  static const std::map<std::string, int> units = {
      {"", 0},     {"b", 0},  {"k", 10},  {"kb", 10},  {"kib", 10}, {"m", 20},  {"mb", 20},
      {"mib", 20}, {"g", 30}, {"gb", 30}, {"gib", 30}, {"t", 40},   {"tb", 40}, {"tib", 40}};
  auto unit = units.find(lower.substr(digits));
  if (!number || unit == units.end() || *number >> 20 != 0) {
    return Fail(ErrorCode::kUsage,
                Cat('"', Printable(text.substr(0, 100)), "\" is no size such as 10GB"));
  }
  return static_cast<std::int64_t>(*number << unit->second);
}

Result<CacheFilter> ParseCacheFilter(const std::vector<std::string>& values) {
  CacheFilter filter;
  std::map<std::string, bool> seen;
  std::vector<std::string> words;
  for (const std::string& value : values) {
    const std::size_t equals = value.find('=');
    if (equals == std::string::npos) {
      return Fail(ErrorCode::kUsage, Cat("--filter: \"", Printable(value.substr(0, 100)),
                                         "\": bad format of filter (expected name=value)"));
    }
    std::string key(Trim(value.substr(0, equals)));
    const std::string wanted(Trim(value.substr(equals + 1)));
    if (key == "unused-for") key = "until";
    if (key.empty() || key.find(',') != std::string::npos || !seen.emplace(key, true).second) {
      return Fail(ErrorCode::kUsage, Cat("--filter: \"", Printable(value.substr(0, 100)),
                                         "\": a key is given once, as KEY=VALUE"));
    }
    if (key == "until") {
      TRY_ASSIGN(filter.keep_ns, options::ParseGoDuration(wanted));
    } else if (key == "id") {
      words.push_back(Cat("id~=", wanted));
    } else {
      const bool compares = key.ends_with('!') || key.ends_with('~');
      words.push_back(Cat(key, compares ? "=" : "==", wanted));
    }
  }
  if (!words.empty()) filter.filters.push_back(Join(words, ","));
  return filter;
}

}  // namespace depot::command
