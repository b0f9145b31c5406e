#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "driver/base/text.h"
#include "plugin/hcl/functions.h"

namespace depot::hcl {

namespace {

constexpr std::string_view kMonths[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
constexpr std::string_view kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};

/// A moment and the offset of the clock that showed it; fractions of seconds are dropped.
struct Moment {
  std::int64_t seconds = 0;      ///< since 1970 in UTC
  std::int64_t nanoseconds = 0;  ///< of that second
  std::int64_t offset = 0;       ///< seconds east of UTC
};

/// A moment as a calendar and a clock show it.
struct Shown {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned weekday = 0;  ///< 0 = Sunday
  std::int64_t year_day = 0;
  std::int64_t hour = 0;
  std::int64_t minute = 0;
  std::int64_t second = 0;
};

Shown Show(const Moment& moment) {
  using std::chrono::days;
  using std::chrono::sys_days;
  std::chrono::sys_seconds local{std::chrono::seconds(moment.seconds + moment.offset)};
  auto day = std::chrono::floor<days>(local);
  std::chrono::year_month_day date(day);
  auto rest = (local - day).count();
  auto first = sys_days(date.year() / std::chrono::January / 1);
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          std::chrono::weekday(day).c_encoding(),
          (day - first).count() + 1,
          rest / 3600,
          rest / 60 % 60,
          rest % 60};
}

std::string Padded(std::int64_t number, std::size_t width) {
  auto text = std::to_string(number);
  return text.size() < width ? std::string(width - text.size(), '0') + text : text;
}

std::string OffsetText(std::int64_t offset, std::string_view colon) {
  auto minutes = (offset < 0 ? -offset : offset) / 60;
  return Cat(offset < 0 ? "-" : "+", Padded(minutes / 60, 2), colon, Padded(minutes % 60, 2));
}

std::string Rfc3339(const Moment& moment) {
  auto shown = Show(moment);
  return Cat(Padded(shown.year, 4), "-", Padded(shown.month, 2), "-", Padded(shown.day, 2), "T",
             Padded(shown.hour, 2), ":", Padded(shown.minute, 2), ":", Padded(shown.second, 2),
             moment.offset == 0 ? "Z" : OffsetText(moment.offset, ":"));
}

/// `digits` at `at`, followed by `sign` (0 = none); nullopt when they are not there.
std::optional<std::int64_t> TakeDigits(std::string_view& text, std::size_t digits, char sign) {
  auto number = ParseDecimal(text.substr(0, digits));
  if (text.size() < digits || !number) return std::nullopt;
  text.remove_prefix(digits);
  if (sign != 0) {
    if (!text.starts_with(sign)) return std::nullopt;
    text.remove_prefix(1);
  }
  return static_cast<std::int64_t>(*number);
}

std::optional<std::int64_t> TakeOffset(std::string_view text) {
  if (text == "Z") return 0;
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  bool west = text.front() == '-';
  text.remove_prefix(1);
  auto hours = TakeDigits(text, 2, ':');
  auto minutes = hours ? TakeDigits(text, 2, 0) : std::nullopt;
  if (!minutes || !text.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  auto offset = *hours * 3600 + *minutes * 60;
  return west ? -offset : offset;
}

std::optional<std::int64_t> TakeFraction(std::string_view& text) {
  if (!text.starts_with('.')) return 0;
  auto end = std::min(text.find_first_not_of("0123456789", 1), text.size());
  auto digits = std::string(text.substr(1, std::min<std::size_t>(end - 1, 9)));
  if (digits.empty()) return std::nullopt;
  text.remove_prefix(end);
  digits.resize(9, '0');
  return static_cast<std::int64_t>(ParseDecimal(digits).value_or(0));
}

Result<Moment> ParseMoment(std::string_view text) {
  auto bad = [whole = text] {
    return Refuse(Cat("\"", whole, "\" is no time like 2006-01-02T15:04:05Z (RFC 3339)"));
  };
  std::int64_t parts[6] = {};
  constexpr std::pair<std::size_t, char> kShape[] = {{4, '-'}, {2, '-'}, {2, 'T'},
                                                     {2, ':'}, {2, ':'}, {2, 0}};
  for (std::size_t index = 0; index < 6; ++index) {
    auto part = TakeDigits(text, kShape[index].first, kShape[index].second);
    if (!part) return bad();
    parts[index] = *part;
  }
  auto fraction = TakeFraction(text);
  auto offset = fraction ? TakeOffset(text) : std::nullopt;
  std::chrono::year_month_day date(std::chrono::year(static_cast<int>(parts[0])),
                                   std::chrono::month(static_cast<unsigned>(parts[1])),
                                   std::chrono::day(static_cast<unsigned>(parts[2])));
  if (!offset || !date.ok() || parts[3] > 23 || parts[4] > 59 || parts[5] > 59) return bad();
  auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return Moment{std::int64_t{days} * 86400 + parts[3] * 3600 + parts[4] * 60 + parts[5] - *offset,
                *fraction, *offset};
}

/// A run of one letter in a date format; nullopt when it has no meaning.
std::optional<std::string> DatePart(std::string_view run,
                                    const Shown& shown,
                                    const Moment& moment) {
  auto hour12 = shown.hour % 12 == 0 ? 12 : shown.hour % 12;
  auto minus = [](std::string_view text) { return std::string(text); };
  const std::pair<std::string_view, std::string> known[] = {
      {"YYYY", Padded(shown.year, 4)},
      {"YY", Padded(shown.year % 100, 2)},
      {"M", std::to_string(shown.month)},
      {"MM", Padded(shown.month, 2)},
      {"MMM", minus(kMonths[shown.month - 1].substr(0, 3))},
      {"MMMM", minus(kMonths[shown.month - 1])},
      {"D", std::to_string(shown.day)},
      {"DD", Padded(shown.day, 2)},
      {"EEE", minus(kDays[shown.weekday].substr(0, 3))},
      {"EEEE", minus(kDays[shown.weekday])},
      {"h", std::to_string(shown.hour)},
      {"hh", Padded(shown.hour, 2)},
      {"H", std::to_string(hour12)},
      {"HH", Padded(hour12, 2)},
      {"AA", shown.hour < 12 ? "AM" : "PM"},
      {"aa", shown.hour < 12 ? "am" : "pm"},
      {"m", std::to_string(shown.minute)},
      {"mm", Padded(shown.minute, 2)},
      {"s", std::to_string(shown.second)},
      {"ss", Padded(shown.second, 2)},
      {"Z", moment.offset == 0 ? "Z" : OffsetText(moment.offset, ":")},
      {"ZZZ", moment.offset == 0 ? "UTC" : OffsetText(moment.offset, "")},
      {"ZZZZ", OffsetText(moment.offset, "")},
      {"ZZZZZ", OffsetText(moment.offset, ":")},
  };
  for (const auto& [name, text] : known) {
    if (name == run) return text;
  }
  return std::nullopt;
}

/// `'...'` at the begin of `rest`; `''` in it is one quote.
Result<std::string> TakeQuoted(std::string_view& rest) {
  std::string out;
  for (rest.remove_prefix(1); !rest.empty();) {
    char c = rest.front();
    rest.remove_prefix(1);
    if (c == '\'' && !rest.starts_with('\'')) return out;
    if (c == '\'') rest.remove_prefix(1);
    out += c;
  }
  return Refuse("a quote in the format is not closed");
}

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Result<Value> FormatMoment(std::string_view rest, const Moment& moment, bool unix_seconds) {
  auto shown = Show(moment);
  std::string out;
  while (!rest.empty()) {
    char c = rest.front();
    if (c == '\'') {
      TRY_ASSIGN(auto quoted, TakeQuoted(rest));
      out += quoted;
    } else if (!IsLetter(c)) {
      out += c;
      rest.remove_prefix(1);
    } else {
      auto run = rest.substr(0, std::min(rest.find_first_not_of(c), rest.size()));
      rest.remove_prefix(run.size());
      auto part = DatePart(run, shown, moment);
      if (!part && unix_seconds && run == "X") part = std::to_string(moment.seconds);
      if (!part)
        return Refuse(Cat("`", run, "` means nothing in a date format; text stands in '...'"));
      out += *part;
    }
  }
  return Value::String(std::move(out));
}

Result<Value> FormatDate(const Arguments& arguments) {
  TRY_ASSIGN(auto moment, ParseMoment(arguments[1].AsString()));
  return FormatMoment(arguments[0].AsString(), moment, false);
}

Result<Moment> UnixMoment(const Value& value) {
  constexpr std::int64_t kLatest = 253'402'300'799;  // the end of the year 9999
  TRY_ASSIGN(auto seconds, Whole(value, "a time in seconds"));
  if (seconds > kLatest || seconds < -62'135'596'800)
    return Refuse("the time must be in the years 1 to 9999");
  return Moment{seconds, 0, 0};
}

Result<Value> FormatTimestamp(const Arguments& arguments) {
  if (arguments[1].kind() == Value::Kind::kNumber) {
    TRY_ASSIGN(auto moment, UnixMoment(arguments[1]));
    return FormatMoment(arguments[0].AsString(), moment, true);
  }
  if (!arguments[1].is_string()) return Refuse("the time must be a text or a number of seconds");
  TRY_ASSIGN(auto moment, ParseMoment(arguments[1].AsString()));
  return FormatMoment(arguments[0].AsString(), moment, true);
}

/// The week of ISO 8601 and the year it belongs to: that of its Thursday.
std::pair<int, std::int64_t> IsoWeek(const Moment& moment, const Shown& shown) {
  auto from_monday = (shown.weekday + 6) % 7;
  Moment thursday = moment;
  thursday.seconds += (3 - std::int64_t{from_monday}) * 86400;
  auto there = Show(thursday);
  return {there.year, (there.year_day - 1) / 7 + 1};
}

Result<Value> UnixTimestampParse(const Arguments& arguments) {
  TRY_ASSIGN(auto moment, UnixMoment(arguments[0]));
  auto shown = Show(moment);
  auto [iso_year, iso_week] = IsoWeek(moment, shown);
  return Value::Object({
      {"year", Value::Integer(shown.year)},
      {"year_day", Value::Integer(shown.year_day)},
      {"day", Value::Integer(shown.day)},
      {"month", Value::Integer(shown.month)},
      {"month_name", Value::String(std::string(kMonths[shown.month - 1]))},
      {"weekday", Value::Integer(shown.weekday)},
      {"weekday_name", Value::String(std::string(kDays[shown.weekday]))},
      {"hour", Value::Integer(shown.hour)},
      {"minute", Value::Integer(shown.minute)},
      {"second", Value::Integer(shown.second)},
      {"rfc3339", Value::String(Rfc3339(moment))},
      {"iso_year", Value::Integer(iso_year)},
      {"iso_week", Value::Integer(iso_week)},
  });
}

/// Go's durations (`-1h30m`, `1.5s`) in nanoseconds; nullopt when it is none, or longer than 292
/// years.
std::optional<std::int64_t> ParseDuration(std::string_view text) {
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"ns", 1},         {"us", 1'000},        {"\u00B5s", 1'000},    {"\u03BCs", 1'000},
      {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  Number total;
  while (!text.empty()) {
    auto digits = text.substr(0, std::min(text.find_first_not_of("0123456789."), text.size()));
    auto rest = text.substr(digits.size());
    auto unit = rest.substr(0, std::min(rest.find_first_of("0123456789."), rest.size()));
    text = rest.substr(unit.size());
    auto count = digits.size() > 40 ? std::nullopt : Number::Parse(digits);
    std::optional<Number> part;
    for (const auto& [name, nanoseconds] : kUnits) {
      if (name == unit && count) part = count->Times(Number(nanoseconds));
    }
    auto sum = part ? total.Plus(part->Truncated()) : std::nullopt;
    if (!sum) return std::nullopt;
    total = *sum;
  }
  return (negative ? total.Negated() : total).ToInteger();
}

Result<Value> TimeAdd(const Arguments& arguments) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  TRY_ASSIGN(auto moment, ParseMoment(arguments[0].AsString()));
  auto duration = ParseDuration(arguments[1].AsString());
  if (!duration) return Refuse(Cat("\"", arguments[1].AsString(), "\" is no duration like 36h30m"));
  auto nanoseconds = moment.nanoseconds + *duration % kSecond;
  moment.seconds += *duration / kSecond;
  if (nanoseconds < 0) moment.seconds -= 1;
  if (nanoseconds >= kSecond) moment.seconds += 1;
  return Value::String(Rfc3339(moment));
}

Result<Value> Timestamp(const Arguments&) {
  auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return Value::String(Rfc3339({now.time_since_epoch().count(), 0, 0}));
}

constexpr Function kTimeFunctions[] = {
    {"formatdate", "ss", FormatDate},
    {"formattimestamp", "sa", FormatTimestamp},
    {"unixtimestampparse", "n", UnixTimestampParse},
    {"timeadd", "ss", TimeAdd},
    {"timestamp", "", Timestamp},
};

}  // namespace

std::span<const Function> TimeFunctions() {
  return kTimeFunctions;
}

}  // namespace depot::hcl
