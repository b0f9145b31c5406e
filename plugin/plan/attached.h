#pragma once

#include <string>

#include "plugin/options/build_options.h"
#include "plugin/plan/plan.h"

namespace depot::plan {

/// One line for the user about the provenance that the results of `plan` have, and where: in the
/// image, or in a file. "" when there is none. Pure.
std::string DescribeProvenance(const options::BuildOptions& options, const BuildPlan& plan);

}  // namespace depot::plan
