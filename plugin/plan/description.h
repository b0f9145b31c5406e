#pragma once

#include <string>

#include "driver/depot/api.h"
#include "plugin/options/build_options.h"

namespace depot::plan {

/// What the Depot API is told of a build before it starts; pure. Says the same as the official
/// client (depot/cli pkg/helpers/build.go): --push and --save have become outputs, --load has not,
/// and paths of this machine stay here.
api::BuildDescription DescribeBuild(const options::BuildOptions& options,
                                    const std::string& project);

}  // namespace depot::plan
