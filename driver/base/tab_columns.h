#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace depot {

/// How AlignTabs() fills up cells.
struct TabColumns {
  std::size_t narrowest = 0;
  std::size_t gap = 1;     ///< behind the widest of a column
  bool with_tabs = false;  ///< with tabs of 8 columns, else with blanks
};

constexpr TabColumns kTableColumns{10, 3, false};  ///< of docker buildx's tables

/// Columns on the screen, as far as one code point is one column, which is what text/tabwriter
/// counts.
std::size_t ColumnsOf(std::string_view text);

/// Text with tabs as Go's text/tabwriter aligns it, which docker buildx prints its tables with: a
/// tab ends a cell, and the cells above each other in lines that follow each other are made as wide
/// as the widest of them and the gap.
std::string AlignTabs(std::string_view text, const TabColumns& columns = {});

}  // namespace depot
