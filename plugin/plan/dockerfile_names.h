#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/files/tree.h"
#include "plugin/options/build_options.h"

namespace depot::plan {

/// Names that a Dockerfile gives.
struct DockerfileNames {
  std::vector<std::string> stages;  ///< of FROM ... AS, in lower case
  std::vector<std::string> args;    ///< of ARG, wherever it stands
  std::vector<std::string> froms;   ///< of --from= and RUN --mount=from=: a stage, image or context
};

/// Finds them, without understanding more of it than lines, quotes and heredocs. nullopt when the
/// text is for a frontend of its own (`# syntax=`), which may mean anything by it.
std::optional<DockerfileNames> NamesIn(std::string_view text);

/// The same of the Dockerfile `filename` in `tree`; nullopt also when it cannot be read.
std::optional<DockerfileNames> NamesOfFile(const files::FileTree& tree,
                                           const std::string& filename);

/// What a builder does not say of the Dockerfile `filename` in `tree`: that its text is UTF-16, and
/// flags that name what it does not have (a --build-arg without its ARG, a stage of
/// --no-cache-filter). A line for each, with the nearest name; none when the Dockerfile cannot be
/// read.
std::vector<std::string> DockerfileWarnings(const options::BuildOptions& options,
                                            const files::FileTree& tree,
                                            const std::string& filename);

}  // namespace depot::plan
