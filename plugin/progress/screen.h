#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "plugin/progress/layout.h"

namespace depot {

/// What a terminal must be sent to show frames, one after the other: lines that stay scroll up, the
/// live ones below them are replaced in place, and of those that did not change nothing is sent. No
/// text switches the cursor off or leaves another state behind, so whatever ends the program leaves
/// the terminal usable. Pure. One thread at a time.
class Screen {
 public:
  /// `reflows`: whether lines that are too long for a terminal that became narrower take several
  /// rows then.
  explicit Screen(bool reflows) : reflows_(reflows) {}

  /// The text for `frame` on a terminal of `size`; "" when nothing changed.
  std::string Show(const Frame& frame, ScreenSize size);

 private:
  std::size_t RowsShown(ScreenSize size) const;

  const bool reflows_;
  std::vector<std::string> shown_;  ///< the live lines; the cursor is in the row below
  ScreenSize size_;                 ///< when they were shown
};

}  // namespace depot
