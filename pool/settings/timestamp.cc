#include "pool/settings/timestamp.h"

#include <chrono>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::settings {
namespace {

/// Exactly `digits` digits at the beginning of `text`, which is shortened; nullopt without them.
std::optional<int> TakeNumber(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  const std::optional<std::uint64_t> number = ParseDecimal(text.substr(0, digits));
  if (!number) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<int>(*number);
}

bool Take(std::string_view& text, char wanted) {
  if (text.empty() || text[0] != wanted) return false;
  text.remove_prefix(1);
  return true;
}

/// "08:30" in seconds.
std::optional<std::int64_t> TakeHoursAndMinutes(std::string_view& text) {
  const std::optional<int> hours = TakeNumber(text, 2);
  if (!hours || *hours > 23 || !Take(text, ':')) return std::nullopt;
  const std::optional<int> minutes = TakeNumber(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  return *hours * 3600 + *minutes * 60;
}

void SkipFraction(std::string_view& text) {
  if (text.size() < 2 || text[0] != '.' || text[1] < '0' || text[1] > '9') return;
  text.remove_prefix(1);
  while (!text.empty() && text[0] >= '0' && text[0] <= '9')
    text.remove_prefix(1);
}

std::string TwoDigits(std::int64_t value) {
  return value < 10 ? Cat('0', value) : Cat(value);
}

}  // namespace

std::optional<std::int64_t> ParseTime(std::string_view text) {
  const std::optional<int> year = TakeNumber(text, 4);
  if (!year || !Take(text, '-')) return std::nullopt;
  const std::optional<int> month = TakeNumber(text, 2);
  if (!month || !Take(text, '-')) return std::nullopt;
  const std::optional<int> day = TakeNumber(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  std::int64_t seconds =
      std::int64_t{86400} * std::chrono::sys_days(date).time_since_epoch().count();
  if (text.empty()) return seconds;
  if (!Take(text, 'T')) return std::nullopt;
  const std::optional<std::int64_t> clock = TakeHoursAndMinutes(text);
  if (!clock || !Take(text, ':')) return std::nullopt;
  const std::optional<int> second = TakeNumber(text, 2);
  if (!second || *second > 59) return std::nullopt;
  seconds += *clock + *second;
  SkipFraction(text);
  if (text == "Z") return seconds;
  const bool east = Take(text, '+');
  if (!east && !Take(text, '-')) return std::nullopt;
  const std::optional<std::int64_t> offset = TakeHoursAndMinutes(text);
  if (!offset || !text.empty()) return std::nullopt;
  return east ? seconds - *offset : seconds + *offset;
}

std::string FormatTime(std::int64_t seconds) {
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto midnight = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(midnight);
  const std::int64_t clock = (time - midnight).count();
  return Cat(static_cast<int>(date.year()), '-', TwoDigits(static_cast<unsigned>(date.month())),
             '-', TwoDigits(static_cast<unsigned>(date.day())), 'T', TwoDigits(clock / 3600), ':',
             TwoDigits(clock / 60 % 60), ':', TwoDigits(clock % 60), 'Z');
}

Result<std::int64_t> ParseDuration(const std::string& text) {
  constexpr std::int64_t kDay = 24 * std::int64_t{3600};
  constexpr std::uint64_t kLongest = 3650 * kDay;
  const std::uint64_t unit = text.ends_with('d') ? kDay : text.ends_with('h') ? 3600 : 60;
  std::optional<std::uint64_t> count;
  if (text.ends_with('d') || text.ends_with('h') || text.ends_with('m')) {
    count = ParseDecimal(std::string_view(text).substr(0, text.size() - 1));
  }
  if (!count || *count == 0 || *count > kLongest / unit) {
    return Fail(Error(ErrorCode::kUsage, Cat("\"", Printable(text), "\" is not a duration"))
                    .WithHint("write 30d, 12h or 45m; at most 3650d"));
  }
  return static_cast<std::int64_t>(*count * unit);
}

}  // namespace depot::settings
