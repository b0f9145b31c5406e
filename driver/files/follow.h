#pragma once

#include <string>
#include <vector>

#include "driver/base/cancel.h"

namespace depot::files {

/// Include patterns for `paths` and for every symlink on their ways and what it leads to, inside
/// the tree whose root directory is `root` (fsutil followlinks.go). A path may have wildcards; an
/// absolute target starts at the tree's root, and ".." stops there. What does not exist is kept as
/// it is. "." stands for everything. Sorted, each once. Symlink loops end. Fails when a directory
/// on the way cannot be read.
Result<std::vector<std::string>> ResolveFollowPaths(int root,
                                                    const std::vector<std::string>& paths,
                                                    const Cancel& cancel);

}  // namespace depot::files
