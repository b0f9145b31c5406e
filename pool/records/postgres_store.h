#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "driver/base/secret.h"
#include "pool/records/sql.h"

namespace depot::records {

/// Where the records of several pools are.
struct PostgresPlace {
  std::string url;  ///< postgresql://user@host[,host...]/database?sslmode=... without a password
  Secret password;  ///< "" = what PGPASSWORD, or ~/.pgpass, says
};

/// A PostgreSQL (12 or newer). No call waits for longer than 2 s, neither for a statement nor for a
/// connection: then it fails with kTimeout, and so does every call from then on, at once, until a
/// thread of its own, which makes the connections, has reached the database again.
class PostgresStore : public SqlStore {
 public:
  /// For how long it has been reached without a break.
  virtual std::chrono::milliseconds ReachedFor() const = 0;
};

/// Connects, makes the tables or brings those of an older pool up to date (of several that start at
/// once, one does), and refuses those of a newer one. kInvalid when the URL is none, or does not
/// say `sslmode` although it goes over the network.
Result<std::unique_ptr<PostgresStore>> OpenPostgresStore(PostgresPlace place);

}  // namespace depot::records
