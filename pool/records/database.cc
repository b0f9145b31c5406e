#include "pool/records/database.h"

#include <cerrno>

#include <sqlite3.h>

#include "driver/base/text.h"

namespace depot::records {
namespace {

Error Explain(int code, const std::string& text) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Error(ErrorCode::kUnavailable, Cat("the disk is full (", text, ")"))
          .WithHint("make room on the disk that holds the pool's `state` directory");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Error(ErrorCode::kTimeout, Cat("another process keeps it locked (", text, ")"))
          .WithHint("let no other program than depot-pool write to it");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Error(ErrorCode::kInvalid, Cat("the file is damaged (", text, ")"))
          .WithHint(
              "stop the pool, move builds.sqlite, -wal and -shm away or put a backup in their "
              "place, and start it again; tokens and certificates are elsewhere");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return Error(ErrorCode::kDenied, Cat("it cannot be written (", text, ")"))
          .WithHint("the pool's user must own the `state` directory and what is in it");
    case SQLITE_IOERR:
      return Error(ErrorCode::kUnavailable, Cat("the disk fails (", text, ")"))
          .WithHint("look at the disk that holds the pool's `state` directory");
    default:
      return Error(ErrorCode::kInternal, text);
  }
}

}  // namespace

Error DatabaseError(sqlite3* database) {
  std::string text = sqlite3_errmsg(database);
  int system = sqlite3_system_errno(database);
  int code = sqlite3_extended_errcode(database);
  // A disk without room fails in many ways.
  if (system == ENOSPC || system == EDQUOT) code = SQLITE_FULL;
  const char* file = sqlite3_db_filename(database, "main");
  return Explain(code, Cat(text, ", code ", code)).While(file == nullptr ? "" : file);
}

Statement::Statement(sqlite3* database, std::string_view sql) : database_(database) {
  prepared_ =
      sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &statement_, nullptr);
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

void Statement::WithNamed(const SqlValues& values) {
  for (std::size_t i = 0; i < values.size() && prepared_ == SQLITE_OK; ++i) {
    int place = sqlite3_bind_parameter_index(statement_, Cat('$', i + 1).c_str());
    if (const auto* number = std::get_if<std::int64_t>(&values[i])) {
      prepared_ = sqlite3_bind_int64(statement_, place, *number);
      continue;
    }
    const auto* bytes = std::get_if<SqlBytes>(&values[i]);
    const std::string& text = bytes != nullptr ? bytes->bytes : std::get<std::string>(values[i]);
    prepared_ = sqlite3_bind_text64(statement_, place, text.data(), text.size(), SQLITE_TRANSIENT,
                                    SQLITE_UTF8);
  }
}

Error Statement::Failure() const {
  return DatabaseError(database_);
}

Result<bool> Statement::Step() {
  if (prepared_ != SQLITE_OK) return Fail(Failure());
  int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return Fail(Failure());
}

Result<> Statement::Run() {
  while (true) {
    TRY_ASSIGN(bool row, Step());
    if (!row) return {};
  }
}

std::vector<std::string> Statement::Columns() const {
  std::vector<std::string> columns;
  for (int i = 0; i < sqlite3_column_count(statement_); ++i) {
    const void* text = sqlite3_column_blob(statement_, i);
    auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, i));
    columns.emplace_back(text == nullptr ? "" : static_cast<const char*>(text), size);
  }
  return columns;
}

Database::Database(std::string path) : path_(std::move(path)) {}

Database::~Database() {
  for (sqlite3* connection : idle_)
    sqlite3_close(connection);
}

Result<sqlite3*> Database::Take() {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      sqlite3* connection = idle_.back();
      idle_.pop_back();
      sqlite3_busy_timeout(connection, static_cast<int>(patience_.count()));
      return connection;
    }
  }
  sqlite3* connection = nullptr;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  int code = sqlite3_open_v2(path_.c_str(), &connection, flags, nullptr);
  if (connection == nullptr) return Fail(ErrorCode::kInternal, "SQLite has no memory");
  sqlite3_busy_timeout(connection, static_cast<int>(patience_.count()));
  // NORMAL: what was committed survives the end of the process at any moment; only the last
  // moments before a power cut may be gone, and the file is whole then too.
  if (code == SQLITE_OK) {
    code = sqlite3_exec(connection, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
                        nullptr, nullptr, nullptr);
  }
  if (code != SQLITE_OK) {
    Error error = DatabaseError(connection);
    sqlite3_close(connection);
    return Fail(std::move(error));
  }
  return connection;
}

void Database::GiveBack(sqlite3* connection) {
  std::lock_guard lock(mutex_);
  idle_.push_back(connection);
}

Result<> Database::Change(const std::function<Result<>(sqlite3*)>& work) {
  {
    std::unique_lock lock(mutex_);
    written_.wait(lock, [this] { return !writing_; });
    writing_ = true;
  }
  Result<> changed = Use<void>([&](sqlite3* connection) -> Result<> {
    TRY(Statement(connection, "BEGIN IMMEDIATE").Run());
    Result<> result = work(connection);
    if (result) result = Statement(connection, "COMMIT").Run();
    if (!result && sqlite3_get_autocommit(connection) == 0) {
      // The reason is known already.
      (void)Statement(connection, "ROLLBACK").Run();
    }
    return result;
  });
  {
    std::lock_guard lock(mutex_);
    writing_ = false;
  }
  written_.notify_one();
  return changed;
}

}  // namespace depot::records
