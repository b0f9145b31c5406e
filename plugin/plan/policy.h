#pragma once

#include <string>

#include "driver/base/cancel.h"
#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "driver/solve/request.h"
#include "plugin/options/build_options.h"
#include "plugin/plan/source.h"

namespace depot::plan {

/// The policy `<Dockerfile>.rego` beside a local Dockerfile, with which docker buildx judges what a
/// build takes (buildx build/opt.go): there is no engine for it here, so a build that has one is
/// kUnsupported, unless --policy disabled=true. One inside a remote context, or beside a Dockerfile
/// on standard input, is not looked for.
Result<> CheckPolicyFile(const options::BuildOptions& options, const SourceFacts& facts);

/// The JSON policy in the file that EXPERIMENTAL_BUILDKIT_SOURCE_POLICY names, in the form of the
/// wire: builders obey it themselves. "" when the variable is not set; an Error that names variable
/// and file for one that cannot be read, lies behind a link out of the sources, or is not
/// understood. A pipe is waited for.
Result<std::string> ReadSourcePolicy(const Environment& environment, const Cancel& cancel);

/// Sends it, to no builder that would not obey. Pure.
void AddSourcePolicy(const std::string& policy, solve::BuildRequest& request);

}  // namespace depot::plan
