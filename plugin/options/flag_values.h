#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/result.h"
#include "plugin/options/build_options.h"

/// The values of single flags of `build`. Every error is kUsage, begins with the flag's name, has
/// the words of docker buildx where tools look for them, and never repeats a value that may be
/// secret.
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

/// One platform or several, separated by commas.
Result<std::vector<Platform>> ParsePlatforms(std::string_view value);

/// A warning for each whose system or architecture nobody knows, which are passed on as they are.
/// `flag` is what named them.
std::vector<std::string> UnknownPlatforms(std::string_view flag,
                                          const std::vector<Platform>& platforms);

/// The machine to build on: linux/amd64, linux/arm64, or "dynamic" (nullopt).
Result<std::optional<Platform>> ParseBuildPlatform(std::string_view value);

/// A tag without a name, for --save-tag (distribution/reference: at most 128 of [\w.-]).
Result<std::string> ParseSaveTag(const std::string& value);

/// What help says of --token.
constexpr std::string_view kTokenHelp =
    "Depot token; every user of this machine can see it here, so prefer $DEPOT_TOKEN";

/// A stage for --no-cache-filter: an empty one would mean all.
Result<std::string> ParseStageName(const std::string& value);

/// What --allow gives to us and to no builder: type=local,mode=delete may clear any directory.
constexpr std::string_view kLocalDelete = "buildx.local.delete";

/// --allow: names separated by commas, or one device[=NAME|CLASS[,alias=NAME]] (BuildKit
/// util/entitlements). Empty ones are left out.
Result<std::vector<std::string>> ParseEntitlements(const std::string& value);

/// --network and --progress: the words that they know; the nearest is named otherwise.
Result<std::string> ParseNetwork(const std::string& value);
Result<ProgressMode> ParseProgress(const std::string& value);

}  // namespace depot::options
