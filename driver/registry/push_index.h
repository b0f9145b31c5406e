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

/// What becomes one image for several platforms.
struct IndexPush {
  /// What each builder pushed by digest to the repository of every name:
  /// `containerimage.descriptor` of its answer, a manifest or an index.
  std::vector<Descriptor> pushed;
  std::vector<Platform> platforms;  ///< asked for, in the order of the user
  std::vector<Reference> names;     ///< not empty; in any repositories, with or without a tag
  IndexAnnotations annotations;
  TagRules rules{};                         ///< of the tags among the names
  std::chrono::milliseconds settle{2'000};  ///< TagMove::settle
};

/// What has become of it.
struct PushedIndex {
  /// What the first name stands for: without TagRules::merge all names do.
  AssembledIndex index;
  std::vector<Reference> names;     ///< each once; one whose tag stayed has none
  std::vector<std::string> stayed;  ///< MovedTag::stayed
};

/// Merges what the builders pushed into one index and writes it: once per name, by its tag (by
/// digest when a name has none), as far as the rules let it (MoveTag()). Before the first write
/// every manifest is looked for in every repository, so that no tag ever points at half an image.
/// `say` gets a line for each name written. When a write fails, the error names the names that were
/// written before it.
Result<PushedIndex> PushIndex(Registries& registries,
                              const IndexPush& push,
                              const std::function<void(std::string)>& say,
                              const Cancel& cancel);

}  // namespace depot::registry
