#pragma once

#include <deque>
#include <string>
#include <vector>

#include "driver/base/result.h"
#include "plugin/hcl/document.h"
#include "plugin/hcl/evaluate.h"

namespace depot::bake {

/// A target that a block stands for: the block's attributes in a scope.
struct RawTarget {
  std::string name;
  const hcl::Content* content = nullptr;
  const hcl::Scope* scope = nullptr;
};

/// The targets of one `target` block: itself, or one for each combination of its `matrix`, in a
/// scope of its own in `scopes`, which has the combination's values. What the matrix lacks, a name
/// that is not allowed or there twice, and more than kMostTargets combinations are errors at the
/// label.
Result<std::vector<RawTarget>> ExpandBlock(const hcl::Block& block,
                                           const hcl::Content& content,
                                           const hcl::Scope& scope,
                                           std::deque<hcl::Scope>& scopes);

}  // namespace depot::bake
