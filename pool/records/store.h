#pragma once

#include <chrono>
#include <memory>

#include "driver/base/fd.h"
#include "pool/records/postgres_store.h"
#include "pool/records/records.h"
#include "pool/settings/settings.h"

namespace depot::records {

/// What the settings name as the pool's memory, opened.
struct Store {
  Fd alone;  ///< a server with a file: no other one serves from it meanwhile
  std::unique_ptr<PostgresStore> database;  ///< nullptr: a file, and a pool that is alone
  std::unique_ptr<Records> records;
};

/// `patience` is for a file: see OpenRecords().
Result<Store> OpenStore(const settings::Settings& settings,
                        std::chrono::milliseconds patience = kLockPatience);

/// The same for a server, which does not wait for others, and with a file is the only one: kExists
/// when there is one already.
Result<Store> OpenServerStore(const settings::Settings& settings);

/// Copies the records of the file in `settings.state` to the database that `settings.store` names:
/// builds with their claims, logins, and what tokens of logins are made with. kExists when a pool
/// has the file open, or when the database has builds already; then nothing has changed. How many
/// builds there were.
Result<std::int64_t> CopyFileToDatabase(const settings::Settings& settings);

}  // namespace depot::records
