#pragma once

#include <string>

#include <sys/types.h>

#include "driver/base/fd.h"

namespace depot::disk {

/// A regular file that is written before it gets its name. Where the file system can do that
/// (O_TMPFILE) it has none until then, so that nothing is left of it even when the process is
/// killed; elsewhere it has a temporary one, which is removed when this is destroyed. One thread at
/// a time.
class PendingFile {
 public:
  PendingFile() = default;
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;
  ~PendingFile() { Discard(); }

  /// Makes an empty file in `directory`, which must stay open until this is gone, with `mode` less
  /// umask. 0, or the errno.
  int Create(int directory, mode_t mode);

  bool created() const { return fd_.valid(); }
  int fd() const { return fd_.get(); }  ///< for writing; owned by this

  /// Names it `name`, over what has that name, unless that is a directory (EISDIR), and closes it.
  /// 0, or the errno: then it is as before, except that it can no longer be written to.
  int Commit(const std::string& name);

  void Discard();

 private:
  int CommitNamed(const std::string& name);

  int directory_ = -1;
  Fd fd_;
  std::string temporary_;  // its name; "" = it has none
};

/// A name that no other file has, for the moment before a rename.
std::string TemporaryName();

}  // namespace depot::disk
