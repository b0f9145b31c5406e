#include "driver/event/excerpt.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot {
namespace {

constexpr std::string_view kRule = "--------------------\n";
constexpr int kNumberWidth = 3;
/// Of a stranger's source, whose ranges are looked through for each line.
constexpr int kMaxLines = 500;

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
  const auto breaks = std::count(source.begin(), source.end(), '\n');
  const auto count = static_cast<int>(std::min<std::ptrdiff_t>(breaks + 1, 1'000'000));
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
  const int begin = std::max(1, first - around);
  const int end = std::min({last + around, count, begin + kMaxLines - 1});
  for (int line = 1; line <= end; ++line) {
    std::string_view text = source.substr(0, source.find('\n'));
    source.remove_prefix(std::min(source.size(), text.size() + 1));
    // The last piece behind a final newline is no line.
    if (line < begin || (line == count && text.empty())) continue;
    if (text.ends_with('\r')) text.remove_suffix(1);
    out += Cat(' ', Numbered(line), " | ", Contains(ranges, line) ? ">>>" : "   ", ' ',
               RedactUrls(Printable(text)), '\n');
  }
  if (last + around > end && end < count) out += " ... |\n";
  return out.append(kRule);
}

}  // namespace depot
