#pragma once

#include <string>
#include <string_view>

#include "driver/base/result.h"

namespace depot::disk {

/// Gives the regular file at `path`, which is a user's own and may have been written to by others,
/// new content in one step. Symlinks are followed anywhere and stay; so do mode, owner and group.
/// False, and nothing is changed: its content is not `old` any more. kDenied: this user may not
/// write to it, or what replaced it would be another user's; kInvalid: it is no regular file.
/// kNotFound: it, or what a symlink names, is not there.
Result<bool> RewriteFile(const std::string& path, std::string_view old, std::string_view content);

}  // namespace depot::disk
