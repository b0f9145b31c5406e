#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "driver/base/fd.h"
#include "pool/records/sql.h"

namespace depot::records {

/// Opens DIRECTORY/builds.sqlite, made (mode 0600) when it is not there, checks it, and brings an
/// older pool's tables up to date. Calls wait `patience` at most for another process that has it
/// locked; while it is opened, 5 s.
Result<std::unique_ptr<SqlStore>> OpenSqliteStore(const std::string& directory,
                                                  std::chrono::milliseconds patience);

/// Makes this process the only one that serves from `directory`, made when it is not there, until
/// the Fd goes: kExists when another one does. Who only reads and writes the records needs no such
/// right. It ends with the process, however that ends, and no child has it.
Result<Fd> ServeAlone(const std::string& directory);

/// Checks that no process has the records of `directory` open, so that nothing is added to them any
/// more while they are copied: kExists when one has. The file is in rollback mode then, until it is
/// opened the next time.
Result<> CheckSqliteIsClosed(const std::string& directory);

}  // namespace depot::records
