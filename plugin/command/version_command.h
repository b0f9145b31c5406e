#pragma once

#include <string>
#include <string_view>

#include "plugin/command/command.h"

namespace depot::command {

/// `version`: prints the program's name and version; under the name docker-buildx in the form that
/// docker buildx has, which scripts take apart.
Result<> RunVersion(const Call& call);

/// What docker asks of a plugin, with a newline (docker/cli cli-plugins/metadata): who we are, in
/// `version` ours. Under the name docker-buildx the version is that of the docker buildx whose
/// commands we have, as compose and others ask for a least one, with ours behind it.
std::string Metadata(std::string_view version, bool is_buildx);

}  // namespace depot::command
