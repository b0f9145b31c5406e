#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin/report/timeline.h"

namespace depot::report {

/// What a page shows.
struct TimelineFacts {
  std::string title;
  std::string error;                       ///< empty = the build succeeded
  std::vector<const TimelineStep*> steps;  ///< each ran at least once
  std::size_t left_out = 0;
  Timestamp end{};
};

/// The page; see Timeline::Page(). Pure.
std::string TimelinePage(const TimelineFacts& facts);

/// `text` for between tags and in quoted attributes: no control characters, and none that HTML
/// knows.
std::string EscapeHtml(std::string_view text);

/// The platform in a step's name, "[linux/arm64 2/3] RUN x"; "" when it names none.
std::string PlatformIn(std::string_view name);

}  // namespace depot::report
