#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/result.h"
#include "plugin/options/build_options.h"

/// The values of single flags of `build`. Every error is kUsage, begins with the flag's name and
/// never repeats a value that may be secret.
namespace depot::options {

/// An image name for -t, checked; the text stays as written.
Result<std::string> ParseTag(const std::string& value);

/// KEY=VALUE, or KEY alone (nullopt). Only an empty KEY is wrong.
Result<std::pair<std::string, std::optional<std::string>>> ParseAssignment(std::string_view flag,
                                                                           std::string_view value);

/// id=NAME[,src=FILE][,env=VARIABLE][,type=file|env], with `source` for `src`.
Result<SecretSource> ParseSecret(std::string_view value);

/// NAME:IP or NAME=IP, where IP may be in brackets or "host-gateway"; several, separated by commas,
/// where an address without a name belongs to the name before it.
Result<std::vector<std::pair<std::string, std::string>>> ParseAddHost(std::string_view value);

/// One platform; a list is "not supported yet".
Result<Platform> ParseOnePlatform(std::string_view value);

Result<std::string> ParseNetwork(const std::string& value);
Result<std::string> ParseEntitlement(const std::string& value);
Result<ProgressMode> ParseProgress(const std::string& value);

}  // namespace depot::options
