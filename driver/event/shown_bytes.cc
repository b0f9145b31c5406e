#include "driver/event/shown_bytes.h"

#include <array>
#include <cstdio>
#include <string_view>

#include "driver/base/text.h"

namespace depot {

std::string ShownBytes(std::int64_t count) {
  constexpr std::array<std::string_view, 6> kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  if (count < 1000) return Cat(count, 'B');
  double value = static_cast<double>(count) / 1000;
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  char text[48];
  std::snprintf(text, sizeof text, "%.2f", value);
  return Cat(text, kUnits[unit]);
}

}  // namespace depot
