#pragma once

#include <memory>

#include "driver/depot/build_record.h"
#include "driver/depot/hosted_build.h"

namespace depot::api {

/// The second half of StartHostedBuild(), for a build that the API knows. `ours`: we made it, so it
/// is for us to say how it ended.
std::unique_ptr<HostedBuild> OpenHostedBuild(std::shared_ptr<BuildRecord> build, bool ours);

}  // namespace depot::api
