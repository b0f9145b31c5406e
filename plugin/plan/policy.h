#pragma once

#include "driver/base/result.h"
#include "plugin/options/build_options.h"
#include "plugin/plan/source.h"

namespace depot::plan {

/// The policy `<Dockerfile>.rego` beside a local Dockerfile, with which docker buildx judges what a
/// build takes (buildx build/opt.go): there is no engine for it here, so a build that has one is
/// kUnsupported, unless --policy disabled=true. One inside a remote context, or beside a Dockerfile
/// on standard input, is not looked for.
Result<> CheckPolicyFile(const options::BuildOptions& options, const SourceFacts& facts);

}  // namespace depot::plan
