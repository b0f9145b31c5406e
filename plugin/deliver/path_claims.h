#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "driver/files/tree_writer.h"
#include "driver/oci/platform.h"

namespace depot::deliver {

/// Which builder's platforms a path of a tree belongs to that several builders write into
/// (platform-split=false). Any thread.
class PathClaims {
 public:
  /// `place` is the tree, for people: a folder or an archive.
  explicit PathClaims(std::string place) : place_(std::move(place)) {}

  /// Folders belong to all. What another builder has claimed is kFailed, and names path, place and
  /// both: as BuildKit refuses it within one builder (exporter/local).
  Result<> Claim(std::string_view path, bool folder, const std::vector<Platform>& platforms);

 private:
  struct Owner {
    bool folder;
    std::string platforms;
  };

  const std::string place_;
  std::mutex mutex_;
  std::map<std::string, Owner, std::less<>> owners_;
};

/// A writer that claims every path for `platforms` before `inner` makes it. `claims` must outlive
/// it.
std::unique_ptr<files::TreeWriter> MakeClaimingWriter(std::unique_ptr<files::TreeWriter> inner,
                                                      PathClaims& claims,
                                                      std::vector<Platform> platforms);

}  // namespace depot::deliver
