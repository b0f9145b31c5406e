#pragma once

#include <string>
#include <vector>

#include "driver/base/result.h"
#include "plugin/bake/definition.h"

namespace depot::bake {

/// A file of a definition, read already.
struct DefinitionFile {
  std::string name;  ///< as errors show it
  std::string text;
};

/// The targets of compose files that are merged with each other, and the group "default" of all of
/// them: each service with `build` (compose-spec, buildx bake/compose.go). Reads what they refer to
/// (`.env`, `env_file`, `extends`, `include`) from the working directory and
/// Surroundings::readable; a file elsewhere is kDenied. Errors name file and line.
Result<Definition> LoadCompose(const std::vector<DefinitionFile>& files,
                               const Surroundings& surroundings);

}  // namespace depot::bake
