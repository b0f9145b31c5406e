#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "driver/base/fd.h"
#include "plugin/progress/display.h"

namespace depot {

/// The whole output of a build in a file, whatever is shown of it elsewhere: the lines of
/// DisplayMode::kPlain, written while it builds. Emit() comes from any thread.
class LogFile final : public EventSink {
 public:
  /// Whether Open() may be expected to work, without touching the file. `path` is what a user
  /// typed.
  static Result<> Check(const std::string& path);

  /// After Check(). Makes the file, or empties it; mode 0666 less umask.
  static Result<std::unique_ptr<LogFile>> Open(const std::string& path,
                                               const DisplayOptions& options);

  void Emit(Event event) override { display_->Emit(std::move(event)); }

  /// Once, after the last Emit(): writes what is left, and `last`, which are whole lines. `error`
  /// as for Display::Finish(). What could not be written, also earlier, is the Error; the file is
  /// then taken away.
  Result<> Finish(const Error* error, std::string_view last);

 private:
  LogFile(std::string path, Fd file) : path_(std::move(path)), file_(std::move(file)) {}

  void Write(std::string_view text);

  const std::string path_;
  const Fd file_;
  int error_number_ = 0;  ///< of the first failure; the display's thread's until it has ended
  std::unique_ptr<Display> display_;
};

}  // namespace depot
