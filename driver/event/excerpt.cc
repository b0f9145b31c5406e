#include "driver/event/excerpt.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot {
namespace {

constexpr std::string_view kRule = "--------------------\n";
constexpr int kNumberWidth = 3;

bool Contains(const std::vector<SourceRange>& ranges, int line) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const SourceRange& range) {
    return line >= range.start_line && line <= std::max(range.start_line, range.end_line);
  });
}

std::string Numbered(int line) {
  std::string number = std::to_string(line);
  if (number.size() < kNumberWidth) number.insert(0, kNumberWidth - number.size(), ' ');
  return number;
}

}  // namespace

std::string SourceExcerpt(std::string_view filename,
                          std::string_view source,
                          const std::vector<SourceRange>& ranges) {
  std::vector<std::string_view> lines = Split(source, '\n');
  const auto count = static_cast<int>(std::min<std::size_t>(lines.size(), 1'000'000));
  int first = 0;
  int last = 0;
  for (const SourceRange& range : ranges) {
    if (range.start_line <= 0 || range.start_line > count) continue;
    first = first == 0 ? range.start_line : std::min(first, range.start_line);
    last = std::clamp(std::max(range.start_line, range.end_line), last, std::max(last, count));
  }
  if (first == 0) return "";
  std::string out = Cat(Printable(filename), ':', first, '\n', kRule);
  const int around = first == last ? 2 : 1;
  const int end = std::min(last + around, count);
  for (int line = std::max(1, first - around); line <= end; ++line) {
    // The last piece behind a final newline is no line.
    if (line == count && lines[line - 1].empty()) break;
    std::string_view text = lines[line - 1];
    if (text.ends_with('\r')) text.remove_suffix(1);
    out += Cat(' ', Numbered(line), " | ", Contains(ranges, line) ? ">>>" : "   ", ' ',
               RedactUrls(Printable(text)), '\n');
  }
  return out.append(kRule);
}

}  // namespace depot
