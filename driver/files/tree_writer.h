#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "driver/files/tree.h"

namespace depot::files {

/// Whether device nodes are made: whoever may open one reaches the device of this machine, whatever
/// the builder called it.
enum class Devices { kRefused, kMade };

/// Recreates a tree under a directory of the user's, and never writes outside of it: paths that are
/// absolute, contain "..", or lead through a symlink are refused. What exists is merged with;
/// an entry that is replaced is replaced by rename, so a reader never sees half a file. Owner is
/// the current user whatever the entries say; modes (setuid and setgid bits too), mtimes and xattrs
/// (best effort; file capabilities too) are kept, as BuildKit's client does (fsutil diskwriter);
/// directory mtimes are restored by Finish(). Several threads may write different paths at once.
class TreeWriter {
 public:
  virtual ~TreeWriter() = default;

  /// A regular file being written. It appears under its name with Commit(); destroyed before that,
  /// nothing is left. Must not outlive the writer.
  class File {
   public:
    virtual ~File() = default;

    /// Appends to the content. After a failure (a full disk) the file can only be destroyed.
    virtual Result<> Write(std::string_view data) = 0;

    /// Sets mode, times and xattrs and gives the file its name, over what had it before. Called
    /// once, after the last Write().
    virtual Result<> Commit() = 0;
  };

  /// Whether the content of this regular file is to be sent at all; if not, Create() is not called.
  virtual bool Wants(const FileEntry&) const { return true; }

  /// Makes a directory, symlink, fifo, device, or hard link (`entry.linkname` names an entry of
  /// this transfer that was committed before). Parents must have been made before. A device that
  /// may not be made is kDenied.
  virtual Result<> Make(const FileEntry& entry) = 0;

  /// Starts a regular file.
  virtual Result<std::unique_ptr<File>> Create(const FileEntry& entry) = 0;

  /// Restores the times of the directories made by this transfer.
  virtual Result<> Finish() = 0;
};

/// Makes `root` (and its parents) when it does not exist. Fails when it is not a directory or not
/// writable. It is what a user typed: symlinks in it lead where CheckWithin() allows (lookup.h).
Result<std::unique_ptr<TreeWriter>> OpenTreeWriter(const std::string& root,
                                                   Devices devices = Devices::kRefused);

/// A writer to the directory `folder` in `root`, which is made, mode 0755, and is never a symlink
/// that leads elsewhere. For files of one platform beside those of others.
Result<std::unique_ptr<TreeWriter>> OpenSubTreeWriter(const std::string& root,
                                                      const std::string& folder,
                                                      Devices devices = Devices::kRefused);

/// Whether OpenTreeWriter() succeeds. Leaves nothing behind: directories that it had to make are
/// removed again, because the place may be inside of a build context.
Result<> CheckTreeRoot(const std::string& root);

}  // namespace depot::files
