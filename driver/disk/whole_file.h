#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "driver/base/fd.h"
#include "driver/base/result.h"

namespace depot::disk {

/// Writes all of `data`, and waits where the descriptor is a non-blocking one. 0, or the errno.
int WriteAll(int fd, std::string_view data);

/// A file that has its final name only when it is whole: written beside it from the first Write()
/// on, without a name where the file system can do that, named by Commit(), gone when destroyed
/// before that. One thread at a time.
class WholeFile {
 public:
  virtual ~WholeFile() = default;

  /// Appends to the content. After a failure the file can only be destroyed.
  virtual Result<> Write(std::string_view data) = 0;

  /// Throws away what was written, so that it can be written anew. An Error when some of it is in a
  /// device or pipe.
  virtual Result<> StartOver() = 0;

  /// Flushes and names it; ENOSPC and friends surface here at the latest.
  virtual Result<> Commit() = 0;
};

/// Checks now that the file can be written: the directory exists (`make_parents`: is made, mode
/// 0755) and a file can be created in it, and the final name is not a directory. Until
/// the first Write() nothing new is there: the directory may be a build context.
/// `path` is what a user typed: symlinks in it lead where CheckWithin() allows (lookup.h).
/// A device or fifo (/dev/null, /dev/stdout, /proc/self/fd/1) is written directly. Mode 0666 less
/// umask.
Result<std::unique_ptr<WholeFile>> OpenWholeFile(const std::string& path, bool make_parents);

/// An empty file in `directory` that has no name, for reading and writing: it is gone with its last
/// descriptor, whatever happens to the process.
Result<Fd> OpenNamelessFile(const std::string& directory);

/// Creates, writes and commits at once; symlinks are followed anywhere.
Result<> WriteWholeFile(const std::string& path, std::string_view content);

/// The same for a file with a secret in it: mode 0600 from its first byte on. Directories that are
/// missing are made, mode 0700.
Result<> WritePrivateFile(const std::string& path, std::string_view content);

/// Whether WritePrivateFile() may be expected to work, without writing; makes the directories.
Result<> CheckPrivateFile(const std::string& path);

}  // namespace depot::disk
