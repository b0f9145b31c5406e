#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "pool/records/sql.h"

namespace depot::records {

/// Opens DIRECTORY/builds.sqlite, made (mode 0600) when it is not there, checks it, and brings an
/// older pool's tables up to date. Calls wait `patience` at most for another process that has it
/// locked; while it is opened, 5 s.
Result<std::unique_ptr<SqlStore>> OpenSqliteStore(const std::string& directory,
                                                  std::chrono::milliseconds patience);

/// Checks that no process has the records of `directory` open, so that nothing is added to them any
/// more while they are copied: kExists when one has. The file is in rollback mode then, until it is
/// opened the next time.
Result<> CheckSqliteIsClosed(const std::string& directory);

}  // namespace depot::records
