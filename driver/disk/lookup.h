#pragma once

#include <string>
#include <vector>

#include <sys/stat.h>

#include "driver/base/cancel.h"
#include "driver/base/fd.h"
#include "driver/base/result.h"

/// Whose word a path is. What a user types is his, and leads wherever he says; but a symlink on the
/// way may have come with the sources, and those may be a stranger's.
namespace depot::disk {

constexpr int kMaxLinks = 40;  ///< what Linux itself follows in one path

/// A path, cut where the user's word ends: no symlink in `rest` may lead out of `root`.
struct Bounds {
  std::string root;  ///< absolute and real; "" = `rest` is absolute and the user's own
  std::string rest;  ///< cleaned; "." = the root itself
};

/// The bounds of `path` as the user typed it. Below one of `trees` (absolute; the build context) or
/// the working directory that is the root, the first that applies. Another relative path points
/// into the sources around the working directory: its root is the nearest directory above both. An
/// absolute path elsewhere is the user's own. What does not exist is no error here.
Result<Bounds> BoundsOf(const std::string& path, const std::vector<std::string>& trees);

/// What a path led to; nothing has been opened for reading yet, so that a pipe does not notice.
class Found {
 public:
  Found(Fd directory, std::string name, std::string path, const struct stat& status)
      : directory_(std::move(directory)),
        name_(std::move(name)),
        path_(std::move(path)),
        status_(status) {}

  const std::string& path() const { return path_; }  ///< absolute; within bounds without a symlink
  const struct stat& status() const { return status_; }
  bool by_absolute_link() const { return by_absolute_link_; }  ///< one that stays below the root
  void set_by_absolute_link() { by_absolute_link_ = true; }

  /// Whether we may read it.
  bool readable() const;

  /// Opens it for reading, without waiting for the writer of a pipe; its reads do not wait either.
  Result<Fd> Open() const;

 private:
  int directory() const;

  Fd directory_;      // none: path_ is the user's own
  std::string name_;  // in directory_
  std::string path_;
  struct stat status_;
  bool by_absolute_link_ = false;
};

/// Follows the symlinks of `bounds`. kDenied names the link that leads out of the root, and where
/// to (also a link of the user's own into /proc, unless he typed /proc or /dev himself); kNotFound
/// when there is nothing.
Result<Found> Lookup(const Bounds& bounds);

/// The file at `path` as the user typed it, within BoundsOf() of the one tree `context`; "" = none.
Result<Found> LookupTyped(const std::string& path, const std::string& context);

/// The content of what LookupTyped() finds without a context, of at most `limit` bytes; a pipe is
/// read to its end, which may be waited for until `cancel` stops.
Result<std::string> ReadTyped(const std::string& path, std::size_t limit, const Cancel& cancel);

/// For a place to write to, as the user typed it: kDenied when a symlink on the way leads out of
/// its bounds. Whatever else is wrong with it is no error here.
Result<> CheckWithin(const std::string& path);

/// The content of the regular file `name` in `directory` of at most `limit` bytes. A symlink may
/// not lead out of `directory`. kNotFound when it does not exist; anything else in its place is
/// kInvalid.
Result<std::string> ReadBeneath(const std::string& directory,
                                const std::string& name,
                                std::size_t limit);

}  // namespace depot::disk
