#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "driver/docker/engine.h"
#include "driver/files/whole_file.h"
#include "driver/session/services.h"
#include "plugin/deliver/metadata.h"
#include "plugin/options/build_options.h"
#include "plugin/plan/exports.h"
#include "plugin/progress/terminal.h"

namespace depot {

/// The places on this machine where a build's results are written: opened, and so checked, before
/// the build starts, and given their final names after it has succeeded. One thread.
class Results {
 public:
  /// --iidfile and --metadata-file. An old id file is removed now, so that a failed build leaves
  /// none.
  Result<> OpenReports(const options::BuildOptions& options, const Terminal& terminal);

  /// Where the exporters' bytes go. `engine` is used for the kind kEngineLoad and may else be null.
  Result<> OpenTargets(const std::vector<plan::Destination>& destinations,
                       docker::Engine* engine,
                       EventSink& sink,
                       const Terminal& terminal);

  /// For session::AddFileSend(); valid until CloseTargets().
  std::map<int, session::ExportTarget>& targets() { return targets_; }

  /// Call when the solve is over, before the sink given to OpenTargets() goes: waits for whoever
  /// still works on a target.
  void CloseTargets() { targets_.clear(); }

  /// Gives the exported files their names, writes the reports, and prints the image id when asked
  /// to.
  Result<> Commit(const deliver::ExporterResponse& response,
                  const std::string& ref,
                  deliver::ImageIdKind id_kind,
                  const options::BuildOptions& options,
                  Terminal& terminal);

 private:
  std::unique_ptr<files::WholeFile> id_file_;
  std::unique_ptr<files::WholeFile> metadata_file_;
  std::vector<std::unique_ptr<files::WholeFile>> archives_;
  std::map<int, session::ExportTarget> targets_;
};

}  // namespace depot
