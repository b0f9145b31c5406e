#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "driver/oci/digest.h"

namespace depot::session {

/// The digest of what a builder reads of one blob, as long as it reads from front to back. One
/// thread at a time.
class ReadCheck {
 public:
  void Update(std::string_view data);
  std::int64_t read() const { return read_; }  ///< bytes so far

  /// Whether these bytes are what `digest` says; ends the check.
  bool Is(std::string_view digest);

 private:
  Sha256 hash_;
  std::int64_t read_ = 0;
};

/// The checks that are going on in one session. Builders read a blob in many calls: each takes the
/// check of its blob, and keeps it for the next one. Any thread.
class ReadChecks {
 public:
  /// The check that has come to `offset` of this blob of this store, or at 0 a new one; nullptr
  /// when the blob is read in another way. Nobody else has it.
  std::unique_ptr<ReadCheck> Take(const std::string& store,
                                  const std::string& digest,
                                  std::int64_t offset);

  /// For the call that reads on. Forgotten when too many are kept: the builder checks, too.
  void Keep(const std::string& store, const std::string& digest, std::unique_ptr<ReadCheck> check);

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<ReadCheck>> checks_;
};

}  // namespace depot::session
