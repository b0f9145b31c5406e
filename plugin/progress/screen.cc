#include "plugin/progress/screen.h"

#include <algorithm>

#include "driver/base/columns.h"
#include "driver/base/text.h"

namespace depot {
namespace {

constexpr std::string_view kEraseBelow = "\x1b[J";
constexpr std::string_view kEraseRest = "\x1b[K";

std::string Up(std::size_t rows) {
  return rows == 0 ? "\r" : Cat("\r\x1b[", rows, 'A');
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<signed char>(c) >= 0; });
}

/// A live line. Where terminals may not agree with us on its width, a longer one must not wrap.
void Append(const std::string& line, std::string& out) {
  if (IsAscii(line)) {
    out += line;
  } else {
    out += Cat("\x1b[?7l", line, "\x1b[?7h");
  }
  out += Cat(kEraseRest, '\n');
}

}  // namespace

std::string Screen::Show(const Frame& frame, ScreenSize size) {
  const bool whole = !frame.lines.empty() || size.columns != size_.columns;
  if (!whole && frame.live == shown_) return "";
  std::string out;
  if (!shown_.empty()) out = Up(RowsShown(size));
  if (whole && !shown_.empty()) out += kEraseBelow;
  out += frame.lines;
  for (std::size_t i = 0; i < frame.live.size(); ++i) {
    if (!whole && i < shown_.size() && frame.live[i] == shown_[i]) {
      out += '\n';
    } else {
      Append(frame.live[i], out);
    }
  }
  if (!whole && frame.live.size() < shown_.size()) out += kEraseBelow;
  shown_ = frame.live;
  size_ = size;
  return out;
}

std::size_t Screen::RowsShown(ScreenSize size) const {
  if (!reflows_ || size.columns >= size_.columns || size.columns == 0) return shown_.size();
  std::size_t rows = 0;
  for (const std::string& line : shown_)
    rows += std::max<std::size_t>(1, (Columns(line) + size.columns - 1) / size.columns);
  return rows;
}

}  // namespace depot
