#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "driver/base/result.h"

namespace depot::records {

// What SQLite and PostgreSQL have in common, so that a statement is written once. Parameters are
// $1, $2 ..., each may occur several times. Numbers are BIGINT, and there are no others.

/// Any bytes, as opposed to text.
struct SqlBytes {
  std::string bytes;
};

/// What stands for a parameter of a statement.
using SqlValue = std::variant<std::int64_t, std::string, SqlBytes>;
using SqlValues = std::vector<SqlValue>;

/// One row of an answer; NULL is "" or 0.
class SqlRow {
 public:
  explicit SqlRow(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  const std::string& Text(std::size_t column) const { return columns_.at(column); }
  std::int64_t Number(std::size_t column) const;

 private:
  std::vector<std::string> columns_;
};

using SqlRows = std::vector<SqlRow>;

/// What `read` makes of each row.
template <typename T>
std::vector<T> ReadEach(const SqlRows& rows, T (*read)(const SqlRow&)) {
  std::vector<T> read_rows;
  read_rows.reserve(rows.size());
  for (const SqlRow& row : rows)
    read_rows.push_back(read(row));
  return read_rows;
}

/// A connection that runs statements, as part of a transaction or each by itself. For one thread.
class Sql {
 public:
  virtual ~Sql() = default;

  /// All rows of one statement. Its Errors are those of SqlStore.
  virtual Result<SqlRows> Run(std::string_view sql, const SqlValues& values = {}) = 0;
};

/// A database. Safe to use from several threads; a call blocks for as long as the store says. Every
/// failure says what to do: kTimeout (not at the moment: another process has it locked, or a server
/// is away), kUnavailable (full disk, I/O), kInvalid (damaged, or of a newer pool), kDenied.
class SqlStore {
 public:
  virtual ~SqlStore() = default;

  /// All rows of a statement that changes nothing.
  virtual Result<SqlRows> Read(std::string_view sql, const SqlValues& values = {}) = 0;

  /// Runs `work` in one transaction, which an Error takes back.
  virtual Result<> Change(const std::function<Result<>(Sql&)>& work) = 0;

  /// Whether it can be written at the moment.
  virtual Result<> Check() = 0;
};

/// Tables that are the same in both: what is added to a database without them. `secret` is a new
/// one of the pool, used when it has none yet.
Result<> MakeSharedTables(Sql& sql, const std::string& secret);

}  // namespace depot::records
