#include "plugin/command/history_filter.h"

#include <cstdio>
#include <optional>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/command/history_records.h"
#include "plugin/options/go_duration.h"
#include "plugin/plan/git_url.h"

namespace depot::command {
namespace {

struct Condition {
  std::string_view key;
  std::string_view sign;
  std::string_view value;
};

std::optional<Condition> SplitCondition(std::string_view text) {
  const std::size_t at = text.find_first_of("!=<>");
  if (at == std::string_view::npos) return std::nullopt;
  const bool two = text.substr(at + 1).starts_with('=') && text[at] != '=';
  if (text[at] == '!' && !two) return std::nullopt;
  const std::size_t length = two ? 2 : 1;
  return Condition{text.substr(0, at), text.substr(at, length), text.substr(at + length)};
}

std::string_view FilterStatus(const solve::HistoryRecord& record) {
  if (record.running()) return "running";
  if (!record.failed()) return "completed";
  const bool cancelled =
      record.cancelled() || record.error.find("context canceled") != std::string::npos;
  return cancelled ? "canceled" : "error";
}

std::string FilterText(std::string_view key, const solve::HistoryRecord& record) {
  if (key == "ref") return record.ref;
  return key == "status" ? std::string(FilterStatus(record)) : SourceRepository(record);
}

Result<RecordMatch> MatchText(const Condition& condition) {
  const bool equal = condition.sign == "=";
  if (!equal && condition.sign != "!=") {
    return Fail(ErrorCode::kUsage,
                Cat("invalid separator for \"", Printable(condition.key), Printable(condition.sign),
                    Printable(condition.value), "\", expected = or !="));
  }
  return [key = std::string(condition.key), value = std::string(condition.value),
          equal](const solve::HistoryRecord& record) {
    const std::string is = FilterText(key, record);
    if (!equal) return is != value;
    return key == "status" ? is == value : is.find(value) != std::string::npos;
  };
}

std::optional<std::int64_t> ParseTime(const std::string& text) {
  std::tm parts{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return std::nullopt;
  if (*rest == '.') rest += 1 + std::string_view(rest + 1).find_first_not_of("0123456789");
  const std::int64_t seconds = ::timegm(&parts);
  if (std::string_view(rest) == "Z") return seconds;
  int hours = 0;
  int minutes = 0;
  char sign = 0;
  if (std::sscanf(rest, "%c%2d:%2d", &sign, &hours, &minutes) != 3) return std::nullopt;
  if (sign != '+' && sign != '-') return std::nullopt;
  const std::int64_t offset = hours * std::int64_t{3600} + minutes * std::int64_t{60};
  return sign == '+' ? seconds - offset : seconds + offset;
}

Result<std::int64_t> LimitOf(const Condition& condition, std::time_t now) {
  const std::string value(condition.value);
  const Result<std::int64_t> duration = options::ParseGoDuration(value);
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (condition.key == "duration") {
    if (duration) return *duration;
    return Fail(ErrorCode::kUsage, Cat("invalid duration ", Printable(value)));
  }
  if (duration) return now - *duration / kSecond;
  const std::optional<std::int64_t> time = ParseTime(value);
  if (time) return *time;
  return Fail(ErrorCode::kUsage, Cat("invalid time ", Printable(value)));
}

std::int64_t NumberOf(std::string_view key, const solve::HistoryRecord& record) {
  if (key == "startedAt") return record.created.seconds;
  if (key == "completedAt") return record.completed.seconds;
  if (record.running()) return 0;
  return Between(record.created, record.completed);
}

Result<RecordMatch> MatchNumber(const Condition& condition, std::time_t now) {
  if (condition.sign == "=" || condition.sign == "!=") {
    return Fail(ErrorCode::kUsage,
                Cat("invalid separator for \"", Printable(condition.key), condition.sign,
                    Printable(condition.value), "\", expected <=, <, >= or >"));
  }
  TRY_ASSIGN(const std::int64_t limit, LimitOf(condition, now));
  return [key = std::string(condition.key), sign = std::string(condition.sign),
          limit](const solve::HistoryRecord& record) {
    const std::int64_t is = NumberOf(key, record);
    if (sign == "<") return is < limit;
    if (sign == "<=") return is <= limit;
    return sign == ">" ? is > limit : is >= limit;
  };
}

}  // namespace

Result<std::vector<RecordMatch>> ParseHistoryFilters(const std::vector<std::string>& values,
                                                     std::time_t now) {
  std::vector<RecordMatch> matches;
  for (const std::string& value : values) {
    const std::optional<Condition> condition = SplitCondition(value);
    if (!condition) {
      return Fail(ErrorCode::kUsage, Cat("invalid filter \"", Printable(value), '"'));
    }
    const std::string_view key = condition->key;
    const bool text = key == "ref" || key == "repository" || key == "status";
    if (!text && key != "startedAt" && key != "completedAt" && key != "duration") {
      return Fail(Error(ErrorCode::kUsage, Cat("unsupported filter \"", Printable(value), '"'))
                      .WithHint("ref, repository, status, startedAt, completedAt and duration are "
                                "known"));
    }
    TRY_ASSIGN(RecordMatch match, text ? MatchText(*condition) : MatchNumber(*condition, now));
    matches.push_back(std::move(match));
  }
  return matches;
}

std::string StatusWord(const solve::HistoryRecord& record) {
  if (record.running()) return "Running";
  return record.failed() ? "Error" : "Completed";
}

std::string SourceRepository(const solve::HistoryRecord& record) {
  const auto source = record.attributes.find("vcs:source");
  if (source != record.attributes.end()) return source->second;
  const std::string context = record.Attribute("context");
  return plan::ParseGitUrl(context) ? context.substr(0, context.find_first_of("#?")) : "";
}

}  // namespace depot::command
