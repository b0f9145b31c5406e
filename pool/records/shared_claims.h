#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pool/records/shared_slots.h"
#include "pool/records/slot_book.h"
#include "pool/records/sql.h"

namespace depot::records {

// The statements that shared slots are made of.

/// What is known of the database's claims: up to which version, and what time it was there.
struct ClaimsCopy {
  SlotBook::Claims claims;
  std::int64_t version = 0;  ///< 0 = nothing is known
  Slots::Moment now{0};      ///< of the database, when it was read

  /// Reads what has changed since.
  Result<> CatchUp(Sql& sql);
};

/// Takes the lock that everybody has who changes claims, to the end of the transaction; first of
/// all, so that locks of rows that are taken in another order cannot meet.
Result<> LockClaims(Sql& sql);

/// Writes down how `after` differs from `copy`, and makes the copy of it; fresh claims get a ticket
/// that no other has.
Result<> WriteClaims(Sql& sql, ClaimsCopy& copy, SlotBook::Claims after);

/// Signs of life that are not written down yet. Safe to use from several threads.
class SignsOfLife {
 public:
  void Add(const std::string& build, const std::string& platform);

  /// Writes them down, as of now; those that cannot be stay.
  Result<> Write(SqlStore& store);

  /// How long ago that was.
  std::chrono::milliseconds Age() const;

 private:
  using Signs = std::set<std::pair<std::string, std::string>>;  // build, platform

  static Result<> Write(Sql& sql, const Signs& signs);

  mutable std::mutex mutex_;
  Signs signs_;
  std::chrono::steady_clock::time_point written_;
};

/// Who has been silent for too long.
struct Silent {
  std::vector<std::string> builds;
  std::vector<std::int64_t> claims;  ///< tickets, of builds that go on
  std::vector<std::int64_t> ended;   ///< tickets, of builds that are over

  bool empty() const { return builds.empty() && claims.empty() && ended.empty(); }
};

/// Nobody is when the server is not up for `settled`, but those that are over.
Result<Silent> FindSilent(Sql& sql, std::chrono::milliseconds settled);

}  // namespace depot::records
