#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "driver/base/result.h"
#include "driver/files/tree_writer.h"
#include "plugin/options/build_options.h"

/// What `--output type=local,mode=delete` takes away.
namespace depot::deliver {

/// Outputs with mode=delete may only go to directories below the working directory, symlinks
/// followed, unless --allow buildx.local.delete was given (buildx build/opt.go): kUsage.
Result<> CheckClearing(const options::BuildOptions& options);

/// Remembers what builders have sent into a directory. Any thread, except for RemoveRest().
class SentPaths {
 public:
  void Note(std::string_view path, bool directory);

  /// Removes all below `root` that was not sent, without following a symlink. A directory that was
  /// sent is kept and looked into. An Error names what cannot be removed.
  Result<> RemoveRest(const std::string& root) const;

 private:
  Result<> RemoveIn(int directory, const std::string& shown, const std::string& prefix) const;

  std::mutex mutex_;
  std::map<std::string, bool, std::less<>> sent_;  ///< whether it is a directory, by path
};

/// A writer that notes every path that `inner` makes, as below `folder` ("" = right there). `sent`
/// must outlive it.
std::unique_ptr<files::TreeWriter> MakeNotingWriter(std::unique_ptr<files::TreeWriter> inner,
                                                    SentPaths& sent,
                                                    const std::string& folder);

}  // namespace depot::deliver
