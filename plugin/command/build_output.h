#pragma once

#include <memory>
#include <string>

#include "driver/base/error.h"
#include "driver/event/masking_sink.h"
#include "plugin/job/target.h"
#include "plugin/options/build_options.h"
#include "plugin/progress/display.h"
#include "plugin/progress/log_file.h"
#include "plugin/report/reports.h"

namespace depot::command {

/// All that a build says: to the display, to --log-file and to the reports, each without the
/// secrets in `masks`.
class BuildOutput {
 public:
  /// For Open(). Writes nothing yet; an Error names each file that cannot be written, the log's
  /// included.
  static Result<std::unique_ptr<report::Reports>> OpenReports(const options::BuildOptions& options);

  /// Begins the log. All references must outlive it.
  static Result<std::unique_ptr<BuildOutput>> Open(const DisplayOptions& display,
                                                   const options::BuildOptions& options,
                                                   std::unique_ptr<report::Reports> reports,
                                                   const Masks& masks,
                                                   Terminal& terminal);

  ~BuildOutput();
  BuildOutput(const BuildOutput&) = delete;
  BuildOutput& operator=(const BuildOutput&) = delete;

  /// Takes events from any thread until Finish().
  EventSink& sink() { return masking_; }

  /// `error` without secrets, and with what the user did not ask for left out.
  Error Told(const Error& error) const;

  /// Ends the display and writes the files. `error` null = success, and then `outcome` is set. What
  /// could not be written is the Error, which names each; after a failure it is one line more.
  Result<> Finish(const Error* error, const job::Outcome* outcome);

 private:
  class Everyone;

  BuildOutput(const options::BuildOptions& options,
              const Masks& masks,
              bool debug,
              Terminal& terminal);

  const options::BuildOptions& options_;
  const Masks& masks_;
  const bool debug_;
  Terminal& terminal_;
  std::unique_ptr<Everyone> everyone_;  ///< hears of all, without secrets
  MaskingSink masking_;
  std::unique_ptr<report::Reports> reports_;
  std::unique_ptr<LogFile> log_file_;
  std::unique_ptr<Display> display_;
};

}  // namespace depot::command
