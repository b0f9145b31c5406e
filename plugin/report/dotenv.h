#pragma once

#include <map>
#include <string>

namespace depot::report {

/// What a build made, for later jobs: lines NAME=VALUE of a GitLab `artifacts:reports:dotenv` file.
/// `response` is what exporters answered (deliver::ExporterResponse), `build` what the build is
/// known by. DEPOT_IMAGE is the first name, DEPOT_IMAGE_NAMES all of them, DEPOT_IMAGE_DIGEST the
/// digest, DEPOT_IMAGE_REFERENCE both together, DEPOT_IMAGE_BUILD `build`; what there is not has no
/// line.
std::string DotenvText(const std::map<std::string, std::string>& response,
                       const std::string& build);

}  // namespace depot::report
