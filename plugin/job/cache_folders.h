#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "driver/session/content_service.h"
#include "driver/session/layout_store.h"
#include "driver/solve/request.h"
#include "plugin/plan/caches.h"

namespace depot::job {

/// The folders of local caches, which travel through the session (BuildKit client/solve.go). One
/// thread, except for Write().
class CacheFolders {
 public:
  /// Opens the folders of `caches`, those to write to are made. One that cannot be read is no
  /// error: Resolve() says why. One that cannot be written to is, unless that is to be ignored:
  /// then CheckTarget() says it.
  Result<> Open(const plan::Caches& caches);

  /// The error of a folder that was not opened to be written to.
  Result<> CheckTarget(const solve::CacheEntry& target) const;

  /// For the session of a build, which can do without them.
  session::OfferedStores Offered() const;
  /// The folder of `target` for the session that writes it: what fails there is what fails.
  session::OfferedStores OfferedFor(const solve::CacheEntry& target) const;

  /// A source with the digest that its tag stands for, as the builder wants it. An Error says why
  /// it is of no use: no such folder or tag (kNotFound), a malformed index.
  Result<solve::CacheEntry> Resolve(const solve::CacheEntry& source) const;

  /// The same folder as the builder is to name it.
  solve::CacheEntry ForBuilder(const solve::CacheEntry& entry) const;

  /// Notes what the builder has written for `target`: `manifest` is the descriptor that it answered
  /// with. kInvalid, kNotFound: that is none, or names what is not in the folder. Any thread.
  Result<> Write(const solve::CacheEntry& target,
                 const std::string& manifest,
                 const Cancel& cancel) const;

 private:
  // All by path, as typed.
  std::map<std::string, std::shared_ptr<session::LayoutStore>> stores_;
  std::map<std::string, Error> unreadable_;
  std::map<std::string, Error> unwritable_;
};

}  // namespace depot::job
