#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/environment.h"

namespace depot {

/// Colours of steps, as SGR sequences (ECMA-48 8.3.117); "" = none.
struct Colours {
  std::string run = "\x1b[34m";  ///< a step that ended well
  std::string cancel = "\x1b[33m";
  std::string error = "\x1b[31m";
  std::string warning = "\x1b[33m";
  std::string faint = "\x1b[2m";
  std::string bold = "\x1b[1m";

  bool operator==(const Colours&) const = default;
};

/// How a display looks, by the variables that docker buildx reads (BuildKit
/// util/progress/progressui/init.go, colors.go, display.go, printer.go).
struct Style {
  Colours colours;                      ///< all empty after NO_COLOR; else BUILDKIT_COLORS
  bool tools_colours = true;            ///< those of the steps' own output are kept
  std::size_t log_lines = 6;            ///< of one running step: BUILDKIT_TTY_LOG_LINES
  std::chrono::milliseconds pace{100};  ///< at most one frame in this time: TTY_DISPLAY_RATE
  std::chrono::milliseconds tick{150};  ///< one frame in this time at least: TTY_DISPLAY_RATE
  std::size_t name_limit = 0;           ///< of plain output; 72 with PROGRESS_NO_TRUNC=0
  bool reflows = true;                  ///< the terminal breaks its lines anew when it is resized
};

/// What `environment` says; `lines` gets one line for each value that has no meaning.
Style ReadStyle(const Environment& environment, std::vector<std::string>& lines);

/// `text` between `colour` and its end; alone when `colour` is "".
std::string Painted(std::string_view colour, std::string_view text);

}  // namespace depot
