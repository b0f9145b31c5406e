#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "pool/records/postgres_store.h"
#include "pool/records/slots.h"

namespace depot::records {

/// How often the slots of several pools are looked at, and when they expire.
struct SharedPace {
  std::chrono::milliseconds look{250};    ///< what others did, is learnt after this at the latest
  std::chrono::milliseconds signs{5000};  ///< signs of life are written down after this
  /// Nothing expires until the database was there, and reached from here, for so long.
  std::chrono::milliseconds settled{60'000};
};

/// The slots of several pools on one database, each with the builders that it sees itself. A claim
/// changes in a transaction under one lock of the database, so that the order is exact; who asks
/// again is answered from memory, which follows the database on a thread. When the database is away
/// no builder is given (NoAnswer), what ends is written down afterwards, and who has a builder
/// keeps it. Restore() and Begin() do nothing, since the database has all of it. `say` gets lines
/// for people, from any thread; the store must outlive it.
std::unique_ptr<Slots> MakeSharedSlots(PostgresStore& store,
                                       std::function<void(std::string)> say,
                                       SharedPace pace = {});

}  // namespace depot::records
