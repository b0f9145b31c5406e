#include "driver/base/hints.h"

#include <cctype>

#include "driver/base/text.h"

namespace depot {

std::string JoinHints(std::string_view first, std::string_view next) {
  if (first.empty() || next.empty()) return Cat(first, next);
  if (!first.ends_with('?')) return Cat(first, "; ", next);
  const auto begin = static_cast<unsigned char>(next.front());
  return Cat(first, ' ', static_cast<char>(std::toupper(begin)), next.substr(1));
}

}  // namespace depot
