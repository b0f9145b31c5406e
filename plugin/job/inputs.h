#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "driver/base/environment.h"
#include "driver/files/tree.h"
#include "driver/session/secrets.h"
#include "plugin/options/build_options.h"
#include "plugin/plan/source.h"
#include "plugin/progress/streams.h"

namespace depot::job {

/// What a target is made from, on the user's machine.
struct Inputs {
  std::vector<Platform> platforms;  ///< wanted; empty = the builder's own
  std::vector<session::SecretSpec> secrets;
  plan::Source source;
  std::map<std::string, std::unique_ptr<files::FileTree>> trees;  ///< by name, as the builder asks
  std::vector<std::string> notices;  ///< what has no effect, for the user
  std::string source_policy;         ///< plan::ReadSourcePolicy()
  int standard_input = -1;           ///< when the context or the Dockerfile is there; not owned
};

/// Looks at all of it, so that whatever is wrong is known before anything is connected. Blocks for
/// standard input, when that is the context or the Dockerfile.
Result<Inputs> ReadInputs(const options::BuildOptions& options,
                          const Environment& environment,
                          Streams& streams,
                          const Cancel& cancel);

}  // namespace depot::job
