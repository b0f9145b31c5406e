#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "pool/records/records.h"

namespace depot::records {

/// Builds that run, as they were when they were last read: what is answered about them while the
/// records cannot be read, so that nobody who builds notices. Nobody can have ended them meanwhile.
/// Those that were read just now need not be read again. The oldest beyond 10,000 go. Safe to use
/// from several threads.
class Remembered {
 public:
  /// `fresh`: for how long a build counts as just read; another pool may have ended it by then.
  explicit Remembered(std::chrono::milliseconds fresh) : fresh_(fresh) {}

  /// For Keep(), before the build is read.
  std::uint64_t Begin() const;

  /// `begun`: what Begin() said then. What this pool has changed since makes it old at once.
  void Keep(const BuildRecord& build, std::uint64_t begun);

  /// This pool has changed the build.
  void Change(const std::string& id);

  /// The build of this id or token hash, when it was read just now.
  std::optional<BuildRecord> Fresh(const std::string& value) const;

  /// The build of this id or token hash when `error` is one of the moment (kTimeout); else `error`.
  Result<BuildRecord> Or(const std::string& value, Error error) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    BuildRecord build;
    Clock::time_point fresh_until{};
  };

  const Entry* Find(const std::string& value) const;

  const std::chrono::milliseconds fresh_;
  mutable std::mutex mutex_;
  std::uint64_t changes_ = 0;
  std::map<std::string, Entry> builds_;           ///< by id
  std::map<std::string, std::string> of_tokens_;  ///< ids, by token hash
  std::map<std::int64_t, std::string> oldest_;    ///< ids, by number
};

}  // namespace depot::records
