#pragma once

#include <map>
#include <string>

namespace depot::api {

/// Where the API is: DEPOT_API_URL, else Depot's own.
std::string ApiUrl(const std::map<std::string, std::string>& environment);

}  // namespace depot::api
