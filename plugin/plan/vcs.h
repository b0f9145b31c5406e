#pragma once

#include <map>
#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/base/environment.h"
#include "plugin/options/build_options.h"
#include "plugin/plan/source.h"

namespace depot::plan {

/// What the builder is told of the version control that a local context came from.
struct VcsFacts {
  /// Frontend attributes (buildx build/git.go): vcs:source, vcs:revision and vcs:localdir:NAME,
  /// which provenance and build records show, and labels of the image.
  std::map<std::string, std::string> attributes;
  std::vector<std::string> notices;  ///< one line each, for the user
};

/// Of the git checkout that the context lies in; in a GitLab job also of the job, by its variables,
/// for what the checkout does not say or when there is none. BUILDX_GIT_INFO=0 leaves the vcs:
/// attributes out, BUILDX_GIT_LABELS=1 (or full) adds the labels, as buildx has it. No URL in them
/// has a user, a password or a token. Reads files of the checkout; git is run for
/// BUILDX_GIT_CHECK_DIRTY alone, and waited for. A checkout that cannot be read is a notice.
VcsFacts DescribeVcs(const options::BuildOptions& options,
                     const Environment& environment,
                     const Source& source,
                     const Cancel& cancel);

}  // namespace depot::plan
