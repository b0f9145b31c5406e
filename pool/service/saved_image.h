#pragma once

#include <string>

#include "pool/records/records.h"
#include "pool/service/call.h"

namespace depot::cli::v1 {
class BuildOptions;
class CreateBuildResponse;
}  // namespace depot::cli::v1

namespace depot::service {

/// For a build with --save: adds the names its image is to have too, and the credential for them.
/// kFailed when its project has no `save` settings, kInvalid for a save tag that is none.
Result<> AddSavedTags(const Call& call,
                      const records::BuildRecord& build,
                      const depot::cli::v1::BuildOptions& options,
                      depot::cli::v1::CreateBuildResponse& response);

}  // namespace depot::service
