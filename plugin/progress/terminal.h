#pragma once

#include <string_view>

#include "driver/base/cancel.h"
#include "driver/base/fd.h"
#include "driver/base/result.h"
#include "plugin/progress/screen_size.h"

namespace depot {

/// Standard output and standard error of this process: the only writer to both. One thread at a
/// time: the display's while it runs, then its owner's.
class Terminal {
 public:
  /// Make it first in main(): a standard stream that is closed (`2>&-`) becomes /dev/null here, so
  /// that no later file or socket gets its number. From here on SIGPIPE is ignored.
  Terminal();

  /// Writes text made of whole lines to standard error. Lines that fit in PIPE_BUF are never torn;
  /// a terminal gets all in one write. Waits for a slow reader, at most until `cancel` says stop. A
  /// reader that went away, or that was given up, is no failure: the text, and all later text, is
  /// dropped.
  void WriteError(std::string_view text, const Cancel& cancel);

  /// Whether WriteResult can work at all: standard output is open for writing.
  Result<> CheckResult() const;

  /// Writes what the user asked to have on standard output (the image id of -q). All of it has
  /// been taken when this succeeds; a closed or full output is an Error.
  Result<> WriteResult(std::string_view text, const Cancel& cancel);

  /// A descriptor of its own for standard output, for what is too large to pass through here (an
  /// exported archive). The caller closes it. An Error when standard output is not open for
  /// writing.
  Result<Fd> DuplicateOutput() const;

  /// Of the terminal that standard error is, as it is now; 80 by 24 when it does not know or is
  /// none.
  ScreenSize size() const;

  bool output_is_terminal() const { return output_is_terminal_; }
  bool error_is_terminal() const { return error_is_terminal_; }

 private:
  bool output_open_ = true;
  bool output_is_terminal_ = false;
  bool error_is_terminal_ = false;
  bool error_gone_ = false;
};

}  // namespace depot
