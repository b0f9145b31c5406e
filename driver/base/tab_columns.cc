#include "driver/base/tab_columns.h"

#include <algorithm>
#include <vector>

#include "driver/base/text.h"

namespace depot {
namespace {

constexpr std::size_t kTabWidth = 8;

class TabAligner {
 public:
  TabAligner(std::string_view text, const TabColumns& columns) : columns_(columns) {
    for (std::string_view line : Split(text, '\n'))
      lines_.push_back(Split(line, '\t'));
  }

  std::string Run() {
    Format(0, lines_.size());
    if (!out_.empty()) out_.pop_back();
    return std::move(out_);
  }

 private:
  bool HasCell(std::size_t line) const { return widths_.size() + 1 < lines_[line].size(); }

  /// One column after the other, in runs of lines that have it.
  void Format(std::size_t begin, std::size_t end) {
    const std::size_t column = widths_.size();
    for (std::size_t at = begin; at < end; ++at) {
      if (!HasCell(at)) continue;
      WriteLines(begin, at);
      begin = at;
      std::size_t width = columns_.narrowest;
      for (; at < end && HasCell(at); ++at)
        width = std::max(width, ColumnsOf(lines_[at][column]) + columns_.gap);
      widths_.push_back(width);
      Format(begin, at);
      widths_.pop_back();
      begin = at;
      if (at == end) break;
      --at;
    }
    WriteLines(begin, end);
  }

  void WriteLines(std::size_t begin, std::size_t end) {
    for (std::size_t at = begin; at < end; ++at) {
      const std::vector<std::string_view>& cells = lines_[at];
      for (std::size_t i = 0; i < cells.size(); ++i) {
        out_ += cells[i];
        if (i < widths_.size() && i + 1 < cells.size()) Pad(widths_[i], ColumnsOf(cells[i]));
      }
      out_ += '\n';
    }
  }

  void Pad(std::size_t width, std::size_t used) {
    if (!columns_.with_tabs) {
      out_.append(width - used, ' ');
      return;
    }
    width = (width + kTabWidth - 1) / kTabWidth * kTabWidth;
    out_.append((width - used + kTabWidth - 1) / kTabWidth, '\t');
  }

  const TabColumns& columns_;
  std::vector<std::vector<std::string_view>> lines_;
  std::vector<std::size_t> widths_;
  std::string out_;
};

}  // namespace

std::size_t ColumnsOf(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string AlignTabs(std::string_view text, const TabColumns& columns) {
  return TabAligner(text, columns).Run();
}

}  // namespace depot
