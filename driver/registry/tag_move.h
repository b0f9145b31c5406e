#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "driver/oci/reference.h"
#include "driver/oci/tag_rules.h"
#include "driver/registry/index.h"
#include "driver/registry/repository.h"

namespace depot::registry {

/// What is to be written under a tag that others may write, too. All is owned by the caller.
struct TagMove {
  const AssembledIndex& index;  ///< ours, with all that it lists in the repository
  const std::map<std::string, std::string>& annotations;  ///< of `index`
  const TagRules& rules;
  /// How long somebody else may take between looking at a tag and writing it, at least.
  std::chrono::milliseconds settle;
};

/// What has become of a tag.
struct MovedTag {
  AssembledIndex index;  ///< what it names, or what was pushed without it
  std::string stayed;    ///< why it was not moved, in one line; "" = it was
};

/// Moves one tag at a time, as TagRules say: reads what it names, decides, and writes under the
/// condition that it names that still (Repository::ReplaceManifest()). A registry that knows no
/// such conditions writes all the same: two who read the same then write one after the other. Of
/// two that merge the tag is therefore looked at once more after a pause, until what the other has
/// written has ours in it. kUnavailable when that has not come to pass after 10 times. What does
/// not move is written by digest. `say` gets lines for the log. Blocks.
Result<MovedTag> MoveTag(Repository& repository,
                         const Reference& name,
                         const TagMove& move,
                         const std::function<void(std::string)>& say,
                         const Cancel& cancel);

}  // namespace depot::registry
