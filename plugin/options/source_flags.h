#pragma once

#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "driver/flags/flag_table.h"
#include "plugin/options/source_options.h"

namespace depot::options {

/// --ssh and --build-context. `into` must outlive them.
std::vector<flags::Flag> SourceFlags(SourceOptions& into);

/// ID[=SOCKET|KEY[,KEY]] as docker buildx has it (util/buildflags/ssh.go), where KEY is a file or
/// env=VARIABLE; an empty ID is "default". kUsage for an id that was given before, for an empty
/// part of a list, and for the text of a key, which is not repeated.
Result<> AddSsh(std::string_view value, SourceOptions& into);

/// The name of a named context: an image's, without :latest. kUsage.
Result<std::string> ParseContextName(std::string_view name);

/// NAME=VALUE (buildx util/buildflags/context.go). kUsage when it is something else, when NAME is
/// no image name, and for target:, which belongs to bake.
Result<> AddBuildContext(std::string_view value, SourceOptions& into);

}  // namespace depot::options
