#pragma once

#include <string>
#include <string_view>

#include "driver/base/fd.h"
#include "driver/base/result.h"

namespace depot::files {

/// Why `path`, which came from a peer, is not an acceptable relative path: empty, absolute, with an
/// empty, "." or ".." component, a NUL byte, or too long for the system. "" when it is fine.
std::string_view PathDefect(std::string_view path);

/// open(2) of `path` below the directory `root` without ever following a symlink, whatever happens
/// to the path meanwhile; close-on-exec. `path` has no PathDefect(), or is "." for the root. The
/// new descriptor, or the negative errno; -ELOOP or -ENOTDIR where a symlink is in the way.
int OpenBeneath(int root, const std::string& path, int flags);

/// What OpenBeneath() does where openat2(2) is missing or forbidden: one open per component.
int OpenBeneathStepwise(int root, std::string_view path, int flags);

}  // namespace depot::files
