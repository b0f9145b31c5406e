#pragma once

#include <map>
#include <string>
#include <vector>

#include "driver/base/result.h"

namespace depot::api {

/// The project a build belongs to, and who said so.
struct ProjectChoice {
  std::string id;      ///< "" = none
  std::string source;  ///< for people: "--project", "DEPOT_PROJECT_ID", "/src/depot.json"
  std::vector<std::string> warnings;  ///< two files that name different projects
};

/// `flag` (--project), DEPOT_PROJECT_ID, else the nearest depot.json, depot.yml or depot.yaml (key
/// `id`) upward from each of `directories` (the context's and the Dockerfile's; relative ones from
/// the working directory; the last that has one wins, as in depot/cli pkg/helpers/project.go). A
/// project file that cannot be read, is not YAML or JSON, or has no id is kInvalid.
Result<ProjectChoice> FindProject(const std::string& flag,
                                  const std::map<std::string, std::string>& environment,
                                  const std::vector<std::string>& directories);

/// Writes DIRECTORY/depot.json (`init`). kInvalid when there is one already, unless `replace`.
Result<> WriteProjectFile(const std::string& directory, const std::string& id, bool replace);

}  // namespace depot::api
