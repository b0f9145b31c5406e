#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "driver/base/error.h"
#include "driver/disk/whole_file.h"
#include "driver/event/sink.h"
#include "plugin/report/code_quality.h"
#include "plugin/report/timeline.h"

namespace depot::report {

/// Which reports are wanted, by the path of each; "" = not.
struct WantedReports {
  std::string dotenv;        ///< DotenvText()
  std::string code_quality;  ///< CodeQuality
  std::string timeline;      ///< Timeline
  std::string dockerfile;    ///< as CodeQuality names it
  std::string title;         ///< of the timeline
};

/// What a build has come to.
struct BuildFacts {
  const Error* error = nullptr;                 ///< null = it succeeded
  std::map<std::string, std::string> response;  ///< of exporters; of a success
  std::string build;                            ///< what it is known by
};

/// The files about a build that somebody else reads: a later job, a merge request, people. Hears of
/// everything, and is quiet itself. Any thread, except for Write().
class Reports final : public EventSink {
 public:
  /// Checks that each can be written where it is wanted. `wanted` has safe paths: the user's own.
  static Result<std::unique_ptr<Reports>> Open(WantedReports wanted);

  void Emit(Event event) override;

  /// Once, after the last Emit(). An Error names each that could not be written. The dotenv file is
  /// of a success alone: nothing is written, and nothing removed, after a failure.
  Result<> Write(const BuildFacts& facts);

 private:
  using File = std::unique_ptr<disk::WholeFile>;

  explicit Reports(WantedReports wanted)
      : wanted_(std::move(wanted)), code_quality_(wanted_.dockerfile) {}

  const WantedReports wanted_;
  File dotenv_file_;
  File code_quality_file_;
  File timeline_file_;
  std::mutex mutex_;
  CodeQuality code_quality_;
  Timeline timeline_;
};

}  // namespace depot::report
