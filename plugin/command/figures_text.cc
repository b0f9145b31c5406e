#include "plugin/command/figures_text.h"

#include <cstdio>
#include <string_view>

#include "driver/base/text.h"

namespace depot::command {
namespace {

std::string SizeText(double size, double base, const char* const* units, int last) {
  int unit = 0;
  while (size >= base && unit < last) {
    size /= base;
    ++unit;
  }
  char text[64];
  (void)std::snprintf(text, sizeof text, "%.4g%s", size, units[unit]);
  return text;
}

constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

}  // namespace

std::string DecimalSize(std::int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  return SizeText(static_cast<double>(bytes), 1000, kUnits, 6);
}

std::string BinarySize(std::int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  return SizeText(static_cast<double>(bytes), 1024, kUnits, 6);
}

std::string GoDuration(std::int64_t nanoseconds) {
  const std::int64_t seconds = nanoseconds / 1'000'000'000;
  std::string text;
  if (seconds >= kHour) text += Cat(seconds / kHour, 'h');
  if (seconds >= kMinute) text += Cat(seconds % kHour / kMinute, 'm');
  return Cat(text, seconds % kMinute, 's');
}

std::string RoughDuration(std::int64_t seconds) {
  if (seconds < 1) return "Less than a second";
  if (seconds == 1) return "1 second";
  if (seconds < kMinute) return Cat(seconds, " seconds");
  if (seconds < 2 * kMinute) return "About a minute";
  if (seconds < kHour) return Cat(seconds / kMinute, " minutes");
  const std::int64_t hours = (seconds + kHour / 2) / kHour;
  if (hours == 1) return "About an hour";
  if (hours < 48) return Cat(hours, " hours");
  if (hours < std::int64_t{24} * 7 * 2) return Cat(hours / 24, " days");
  if (hours < std::int64_t{24} * 30 * 2) return Cat(hours / 24 / 7, " weeks");
  if (hours < std::int64_t{24} * 365 * 2) return Cat(hours / 24 / 30, " months");
  return Cat(seconds / kDay / 365, " years");
}

std::string FractionText(std::int64_t nanoseconds) {
  if (nanoseconds == 0) return "";
  std::string text = Cat(1'000'000'000 + nanoseconds).substr(1);
  text.erase(text.find_last_not_of('0') + 1);
  return Cat('.', text);
}

}  // namespace depot::command
