#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "driver/files/content_times.h"
#include "driver/solve/request.h"
#include "plugin/options/build_options.h"
#include "plugin/plan/source.h"

namespace depot::plan {

/// The trees of one build, by name, as the builder asks for them.
using Trees = std::map<std::string, std::unique_ptr<files::FileTree>>;

/// Which contexts are sent with times that stand for content.
struct ContextPlan {
  std::vector<solve::DatedContext> dated;  ///< empty = all as they are
  std::shared_ptr<files::ContentTally> tally;
  std::vector<std::string> reasons;  ///< why a context is sent as it is, and the like; for -D
};

/// Decides for every local directory of `source`, and puts content times around its tree in
/// `trees`. When nothing was said it is done in CI, for what lies in a git checkout and is large
/// enough that a question more pays: 1 MiB. Blobs that git knows are not read. Reads the clock,
/// once in a process: all copies have that time. kUsage: a variable says no possible times.
Result<ContextPlan> PlanContextTimes(const options::BuildOptions& options,
                                     const Environment& environment,
                                     const Source& source,
                                     Trees& trees);

}  // namespace depot::plan
