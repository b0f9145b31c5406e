#pragma once

#include <map>
#include <set>
#include <string>

#include "driver/oci/manifest.h"
#include "driver/registry/index.h"

namespace depot::registry {

/// The index `present`, which may be a stranger's, with the images of `ours` where it has others
/// for the same platforms, whose attestations go with them; what else it lists stays, and its
/// annotations do but for those in `annotations`. Merging the same into the result changes nothing.
/// kUnsupported: it lists another index; kInvalid: more than 1000 manifests.
Result<AssembledIndex> MergeIndex(const ImageIndex& present,
                                  const AssembledIndex& ours,
                                  const std::map<std::string, std::string>& annotations);

/// The digests of what `present` has for the platforms of `ours`.
std::set<std::string> ImagesFor(const ImageIndex& present, const AssembledIndex& ours);

/// Whether all platforms of `ours` have an image in `present` that is either ours or none of
/// `before`: then nobody has taken ours away who did not know of it.
bool HoldsOurs(const ImageIndex& present,
               const AssembledIndex& ours,
               const std::set<std::string>& before);

}  // namespace depot::registry
