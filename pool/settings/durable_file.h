#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

#include "driver/base/cancel.h"
#include "driver/base/fd.h"
#include "driver/base/result.h"

namespace depot::settings {

/// Who may do what with a file.
struct FileRights {
  mode_t mode = 0600;
  uid_t user = 0;
  gid_t group = 0;
};

/// Puts `content` at `path` in one step (disk::PendingFile: who is killed while writing leaves
/// nothing, where the file system has files without names) and onto the disk. The file never has
/// more rights than `rights`.
/// Symlinks are replaced, not followed. One caller at a time: see LockDirectory().
Result<> ReplaceFile(const std::string& path, std::string_view content, const FileRights& rights);

/// Tells one state of a file from the next; empty when there is none.
std::string FileStamp(const std::string& path);

/// Holds an exclusive lock (flock) on the directory until the Fd goes: nothing is left behind, and
/// whoever may read the directory may take part.
Result<Fd> LockDirectory(const std::string& path, const Cancel& cancel);

}  // namespace depot::settings
