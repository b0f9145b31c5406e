#include "plugin/hcl/source.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "driver/base/shown.h"
#include "driver/base/tab_columns.h"
#include "driver/base/text.h"

namespace depot::hcl {

namespace {

constexpr std::size_t kShownLine = 200;

std::size_t LineStart(std::string_view text, std::size_t at) {
  if (at == 0) return 0;
  auto found = text.rfind('\n', at - 1);
  return found == std::string_view::npos ? 0 : found + 1;
}

std::string ShownLine(std::string_view text, std::size_t begin) {
  auto line = text.substr(begin, text.find('\n', begin) - begin);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() <= kShownLine) return Printable(line);
  return Printable(line.substr(0, kShownLine)) + "...";
}

std::string Excerpt(const Range& range) {
  constexpr std::size_t kAround = 2;
  const std::string& text = range.source->text;
  auto line = range.line();
  auto start = LineStart(text, std::min(range.begin, text.size()));
  auto first = line;
  while (first > 1 && line - first < kAround) {
    start = LineStart(text, start - 1);
    --first;
  }
  std::string out = Cat(Printable(range.source->name), ":", line, "\n--------------------\n");
  for (auto number = first; number <= line + kAround && start <= text.size(); ++number) {
    auto shown = std::to_string(number);
    out += Cat(std::string(shown.size() < 4 ? 4 - shown.size() : 0, ' '), shown, " | ",
               number == line ? ">>> " : "    ", ShownLine(text, start), "\n");
    auto end = text.find('\n', start);
    if (end == std::string::npos || end + 1 == text.size()) break;
    start = end + 1;
  }
  return out + "--------------------\n";
}

}  // namespace

std::string_view Range::text() const {
  return source ? std::string_view(source->text).substr(begin, end - begin) : std::string_view();
}

std::size_t Range::line() const {
  auto text = std::string_view(source->text).substr(0, begin);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
}

std::string Range::Where() const {
  std::string_view text = source->text;
  auto start = LineStart(text, begin);
  // What an editor shows in its status line.
  auto column = ColumnsOf(text.substr(start, begin - start)) + 1;
  auto last = std::min({end, text.find('\n', begin), text.size()});
  auto width = last > begin ? ColumnsOf(text.substr(begin, last - begin)) : 0;
  return Cat(Printable(source->name), ":", line(), ",", column, "-",
             column + std::max<std::size_t>(width, 1));
}

Range Span(const Range& first, const Range& last) {
  return Range{first.source, first.begin, std::max(first.end, last.end)};
}

Error ErrorAt(const Range& range, std::string_view gist, std::string_view detail) {
  std::string what = detail.empty() ? std::string(gist) : Cat(gist, "; ", detail);
  if (!range.source) return Error(ErrorCode::kInvalid, std::move(what));
  return Error(ErrorCode::kInvalid, Cat(range.Where(), ": ", what)).WithExcerpt(Excerpt(range));
}

Error ErrorAt(const Range& range, std::string_view gist, const Error& cause) {
  if (!cause.excerpt().empty()) return cause;
  auto error = ErrorAt(range, gist, cause.message());
  return cause.hint().empty() ? error : std::move(error).WithHint(cause.hint());
}

}  // namespace depot::hcl
