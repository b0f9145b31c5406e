#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "driver/base/result.h"
#include "plugin/command/bake_flags.h"
#include "plugin/command/command.h"
#include "plugin/job/workshop.h"
#include "plugin/options/build_options.h"

namespace depot::command {

/// A target as it is built.
struct BakeTarget {
  std::string name;
  options::BuildOptions options;
  std::map<std::string, std::string> links;  ///< by the named context the target that it is
  bool linked = false;                       ///< nobody asked for it but others
};

/// What the targets were read from.
struct BakeSources {
  std::vector<std::pair<std::string, std::size_t>> files;  ///< names, and sizes in bytes
  std::vector<std::string> notices;                        ///< one line each, for the user
};

/// Builds the targets on one run's builders, at most BakeOptions::max_parallel that nobody else
/// uses at a time; the first that fails stops the others, and the Error names it. Then writes the
/// metadata file, and what frontends answered. Shows progress. Blocks.
Result<> BuildTargets(const std::vector<BakeTarget>& targets,
                      const BakeOptions& options,
                      job::Workshop& workshop,
                      BakeSources sources,
                      const Call& call);

}  // namespace depot::command
