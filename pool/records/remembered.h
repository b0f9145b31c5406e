#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>

#include "pool/records/records.h"

namespace depot::records {

/// Builds that run, as they were when they were last read: what is answered about them while the
/// records cannot be read, so that nobody who builds notices. Nobody can have ended them meanwhile.
/// The oldest beyond 10,000 go. Safe to use from several threads.
class Remembered {
 public:
  void Keep(const BuildRecord& build);

  /// The build of this id or token hash when `error` is one of the moment (kTimeout); else `error`.
  Result<BuildRecord> Or(const std::string& value, Error error) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, BuildRecord> builds_;     ///< by id
  std::map<std::string, std::string> of_tokens_;  ///< ids, by token hash
  std::map<std::int64_t, std::string> oldest_;    ///< ids, by number
};

}  // namespace depot::records
