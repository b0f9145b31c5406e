#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "pool/records/sql.h"

struct sqlite3;
struct sqlite3_stmt;

namespace depot::records {

/// One prepared statement being run; the only way to SQLite's values. Not for several threads.
class Statement {
 public:
  /// A failure shows with the first Step() or Run().
  Statement(sqlite3* database, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// Binds all parameters, which the statement calls $1, $2 ...
  void WithNamed(const SqlValues& values);

  /// The next row; false after the last.
  Result<bool> Step();
  /// For statements without rows.
  Result<> Run();

  /// All of the row.
  std::vector<std::string> Columns() const;

 private:
  Error Failure() const;

  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
  int prepared_ = 0;
};

/// The Error for the last failure of `database`: what happened to the file, and what to do.
Error DatabaseError(sqlite3* database);

/// A SQLite file with as many connections as there are threads at work, each in write-ahead mode.
/// Safe to use from several threads. What another process has locked is waited for as long as
/// SetPatience() says (at first 5 s) and is kTimeout then.
class Database {
 public:
  explicit Database(std::string path);
  ~Database();

  /// Zero: do not wait. Before there are several threads.
  void SetPatience(std::chrono::milliseconds patience) { patience_ = patience; }

  /// Runs `work` with a connection of its own.
  template <typename T>
  Result<T> Use(const std::function<Result<T>(sqlite3*)>& work) {
    TRY_ASSIGN(sqlite3 * connection, Take());
    Result<T> result = work(connection);
    GiveBack(connection);
    return result;
  }

  /// The same within one transaction, which an Error takes back. Our own threads take turns, so
  /// that only another process can be in the way.
  Result<> Change(const std::function<Result<>(sqlite3*)>& work);

 private:
  Result<sqlite3*> Take();
  void GiveBack(sqlite3* connection);

  std::string path_;
  std::chrono::milliseconds patience_{5000};
  std::mutex mutex_;
  std::vector<sqlite3*> idle_;
  bool writing_ = false;
  std::condition_variable written_;
};

}  // namespace depot::records
