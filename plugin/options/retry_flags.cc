#include "plugin/options/retry_flags.h"

#include <string>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/options/go_duration.h"

namespace depot::options {
namespace {

constexpr int kUsualRetries = 3;
constexpr std::uint64_t kMostRetries = 1000;
constexpr std::chrono::seconds kUsualTime = std::chrono::minutes(10);
constexpr std::chrono::seconds kLongestTime = std::chrono::hours(24);
/// A builder checks our health every 5 s (BuildKit session/grpc.go): one check may come late.
constexpr std::chrono::seconds kShortestSilence(10);
constexpr std::chrono::seconds kLongestSilence = std::chrono::minutes(10);

Result<int> ParseRetries(std::string_view name, const std::string& value) {
  const auto number = ParseDecimal(value);
  if (number && *number <= kMostRetries) return static_cast<int>(*number);
  return Fail(ErrorCode::kUsage, Cat(name, " is a number from 0 to ", kMostRetries, ", not \"",
                                     Printable(value.substr(0, 100)), '"'));
}

Result<std::chrono::seconds> ParseRetryFor(std::string_view name, const std::string& value) {
  const auto time = ParseGoDuration(value);
  if (time && std::chrono::nanoseconds(*time) <= kLongestTime) {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::nanoseconds(*time));
  }
  return Fail(ErrorCode::kUsage, Cat(name, " is a duration such as 90s or 10m, at most 24h, not \"",
                                     Printable(value.substr(0, 100)), '"'));
}

Result<std::chrono::seconds> ParseSilence(std::string_view name, const std::string& value) {
  const auto time = ParseGoDuration(value);
  if (time && std::chrono::nanoseconds(*time) >= kShortestSilence &&
      std::chrono::nanoseconds(*time) <= kLongestSilence) {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::nanoseconds(*time));
  }
  return Fail(ErrorCode::kUsage, Cat(name, " is a duration from 10s to 10m, not \"",
                                     Printable(value.substr(0, 100)), '"'));
}

}  // namespace

Result<RetryLimits> WantedRetries(const RetryOptions& options, const Environment& environment) {
  constexpr std::string_view kRetries = "DEPOT_RETRIES";
  constexpr std::string_view kRetryFor = "DEPOT_RETRY_FOR";
  constexpr std::string_view kLostAfter = "DEPOT_LOST_AFTER";
  const std::string retries = TrimmedVariable(environment, std::string(kRetries));
  const std::string within = TrimmedVariable(environment, std::string(kRetryFor));
  const std::string silence = TrimmedVariable(environment, std::string(kLostAfter));
  RetryLimits limits{options.retries.value_or(kUsualRetries), options.within.value_or(kUsualTime)};
  limits.silence = options.silence.value_or(limits.silence);
  if (!options.retries && !retries.empty()) {
    TRY_ASSIGN(limits.most, OfSetting("", ParseRetries(kRetries, retries)));
  }
  if (!options.within && !within.empty()) {
    TRY_ASSIGN(limits.within, OfSetting("", ParseRetryFor(kRetryFor, within)));
  }
  if (!options.silence && !silence.empty()) {
    TRY_ASSIGN(limits.silence, OfSetting("", ParseSilence(kLostAfter, silence)));
  }
  return limits;
}

bool WantsStandby(const RetryOptions& options, const Environment& environment) {
  const std::string said = TrimmedVariable(environment, "DEPOT_NO_STANDBY");
  return !options.no_standby && !ParseBool(said).value_or(false);
}

std::vector<flags::Flag> RetryFlags(RetryOptions& into) {
  return {
      {"retries", 0, flags::FlagKind::kText, "int",
       "How often a build that lost its builder goes on, or a push that failed in passing is made "
       "again; 0 = never (default $DEPOT_RETRIES, or 3)",
       [&into](const std::string& text) -> Result<> {
         TRY_ASSIGN(into.retries, ParseRetries("--retries", text));
         return {};
       }},
      {"retry-for", 0, flags::FlagKind::kText, "duration",
       "For how long after a loss --retries are made (default $DEPOT_RETRY_FOR, or 10m)",
       [&into](const std::string& text) -> Result<> {
         TRY_ASSIGN(into.within, ParseRetryFor("--retry-for", text));
         return {};
       }},
      {"lost-after", 0, flags::FlagKind::kText, "duration",
       "How long a builder may be silent before it counts as lost (default $DEPOT_LOST_AFTER, or "
       "20s)",
       [&into](const std::string& text) -> Result<> {
         TRY_ASSIGN(into.silence, ParseSilence("--lost-after", text));
         return {};
       }},
      {"no-standby", 0, flags::FlagKind::kSwitch, "",
       "Do not hold long steps from a second connection, which keeps them running when the first "
       "one is lost (also $DEPOT_NO_STANDBY)",
       flags::Into(into.no_standby)},
  };
}

}  // namespace depot::options
