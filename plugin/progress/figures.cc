#include "plugin/progress/figures.h"

#include <algorithm>
#include <cstdio>

#include "driver/base/text.h"

namespace depot {
namespace {

std::string Decimal(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string TwoDigits(std::int64_t number) {
  return number < 10 ? Cat('0', number) : Cat(number);
}

}  // namespace

std::string ShownSeconds(Elapsed elapsed) {
  return Cat(Decimal(std::chrono::duration<double>(elapsed).count(), 1), 's');
}

std::string ShownTime(Elapsed elapsed) {
  const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed).count();
  if (seconds < 100) return ShownSeconds(std::max(elapsed, Elapsed{0}));
  if (seconds < 3600) return Cat(seconds / 60, 'm', TwoDigits(seconds % 60), 's');
  return Cat(seconds / 3600, 'h', TwoDigits(seconds / 60 % 60), 'm');
}

}  // namespace depot
