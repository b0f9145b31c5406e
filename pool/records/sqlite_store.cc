#include "pool/records/sqlite_store.h"

#include <cerrno>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "driver/base/encode.h"
#include "driver/base/fd.h"
#include "driver/base/random.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "pool/records/database.h"

namespace depot::records {
namespace {

constexpr std::int64_t kSchema = 4;
constexpr std::string_view kSetSchema = "PRAGMA user_version = 4";

constexpr std::string_view kTables[] = {
    R"(CREATE TABLE builds (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
       project TEXT NOT NULL, creator TEXT NOT NULL, created_at INTEGER NOT NULL,
       ends_at INTEGER NOT NULL, token_hash TEXT NOT NULL UNIQUE, saved INTEGER NOT NULL,
       options TEXT NOT NULL, state INTEGER NOT NULL, error TEXT NOT NULL,
       finished_at INTEGER NOT NULL, cancel_at INTEGER NOT NULL))",
    "CREATE INDEX builds_of_project ON builds (project, number)",
    "CREATE INDEX builds_by_state ON builds (state)",
    R"(CREATE TABLE claims (build TEXT NOT NULL, platform TEXT NOT NULL, project TEXT NOT NULL,
       ticket INTEGER NOT NULL, builder TEXT NOT NULL, PRIMARY KEY (build, platform)))",
};

/// What was added to the tables of an older pool.
constexpr std::string_view kSecondSchema[] = {
    "ALTER TABLE builds ADD COLUMN admitted_by TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE claims ADD COLUMN turn INTEGER NOT NULL DEFAULT 0",
};

constexpr std::string_view kThirdSchema[] = {
    "ALTER TABLE claims ADD COLUMN grounds INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE claims ADD COLUMN asked_at INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE claims ADD COLUMN granted_at INTEGER NOT NULL DEFAULT 0",
    "CREATE TRIGGER claims_end AFTER DELETE ON builds"
    " BEGIN DELETE FROM claims WHERE build = old.id; END",
};

// A login that waits ends with the pool that kept its token in memory.
constexpr std::string_view kFourthSchema = "DROP TABLE IF EXISTS logins";

/// Runs statements of the common kind on a connection to a file.
class SqliteSession final : public Sql {
 public:
  explicit SqliteSession(sqlite3* database) : database_(database) {}

  Result<SqlRows> Run(std::string_view sql, const SqlValues& values) override {
    Statement statement(database_, sql);
    statement.WithNamed(values);
    SqlRows rows;
    while (true) {
      TRY_ASSIGN(bool row, statement.Step());
      if (!row) return rows;
      rows.emplace_back(statement.Columns());
    }
  }

 private:
  sqlite3* database_;
};

template <typename Texts>
Result<> RunAll(Sql& sql, const Texts& statements) {
  for (std::string_view statement : statements)
    TRY(sql.Run(statement));
  return {};
}

/// The version is looked at again inside the transaction: two processes may start at once.
Result<> MakeTables(sqlite3* database) {
  SqliteSession sql(database);
  TRY_ASSIGN(SqlRows version, sql.Run("PRAGMA user_version", {}));
  std::int64_t have = version.at(0).Number(0);
  if (have == kSchema) return {};
  if (have > kSchema) {
    return Fail(Error(ErrorCode::kInvalid,
                      Cat("the file was made by a newer depot-pool (schema ", have, ")"))
                    .WithHint("use that version, or another `state` directory"));
  }
  if (have == 0) TRY(RunAll(sql, kTables));
  if (have < 2) TRY(RunAll(sql, kSecondSchema));
  if (have < 3) TRY(RunAll(sql, kThirdSchema));
  TRY(sql.Run(kFourthSchema, {}));
  TRY(MakeSharedTables(sql, Hex(RandomBytes(32))));
  TRY(sql.Run(kSetSchema, {}));
  return {};
}

class SqliteStore final : public SqlStore {
 public:
  explicit SqliteStore(const std::string& path) : database_(path) {}

  Result<> Open(std::chrono::milliseconds patience) {
    TRY(database_.Change(MakeTables));
    TRY(Inspect());
    database_.SetPatience(patience);
    return {};
  }

  Result<SqlRows> Read(std::string_view sql, const SqlValues& values) override {
    return database_.Use<SqlRows>(
        [&](sqlite3* database) { return SqliteSession(database).Run(sql, values); });
  }

  Result<> Change(const std::function<Result<>(Sql&)>& work) override {
    return database_.Change([&](sqlite3* database) {
      SqliteSession session(database);
      return work(session);
    });
  }

  Result<> Check() override {
    // Writes what is there already.
    return database_.Change(
        [](sqlite3* database) { return Statement(database, kSetSchema).Run(); });
  }

 private:
  Result<> Inspect() {
    TRY_ASSIGN(SqlRows check, Read("PRAGMA quick_check(1)", {}));
    const std::string& verdict = check.at(0).Text(0);
    if (verdict == "ok") return {};
    return Fail(Error(ErrorCode::kInvalid, Cat("the file is damaged (", Printable(verdict), ")"))
                    .WithHint("stop the pool, move builds.sqlite, -wal and -shm away or put a "
                              "backup in their place, and start it again"));
  }

  Database database_;
};

std::string FileIn(const std::string& directory) {
  return Cat(directory, "/builds.sqlite");
}

Result<> MakeDirectory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return Fail(SystemError(Cat("make the directory ", directory), errno)
                  .WithHint("the pool's user must own the `state` directory and what is in it"));
}

}  // namespace

Result<Fd> ServeAlone(const std::string& directory) {
  TRY(MakeDirectory(directory));
  // Locks of `directory` are the authorities' (LockDirectory), locks of builds.sqlite SQLite's, and
  // a file that is there to be locked is taken for left over, and removed. This one stays.
  const std::string path = Cat(directory, "/builders");
  TRY(MakeDirectory(path));
  Fd held(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!held.valid()) return Fail(SystemError(Cat("open ", path), errno));
  while (::flock(held.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return Fail(SystemError(Cat("lock ", path), errno));
    return Fail(Error(ErrorCode::kExists, Cat("another depot-pool serves from ", directory,
                                              ", and two would give every slot twice"))
                    .WithHint("stop that one first, or give this one a `state` of its own; several "
                              "pools share a PostgreSQL, which `store` names"));
  }
  return held;
}

Result<std::unique_ptr<SqlStore>> OpenSqliteStore(const std::string& directory,
                                                  std::chrono::milliseconds patience) {
  TRY(MakeDirectory(directory));
  std::string path = FileIn(directory);
  // SQLite gives its other files the mode of this one.
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) return Fail(SystemError(Cat("open ", path), errno));
  file.Reset();
  auto store = std::make_unique<SqliteStore>(path);
  TRY(store->Open(patience));
  return store;
}

Result<> CheckSqliteIsClosed(const std::string& directory) {
  Database database(FileIn(directory));
  database.SetPatience(std::chrono::milliseconds(0));
  Result<> closed = database.Use<void>([](sqlite3* connection) {
    // Only who is alone can leave the write-ahead mode (sqlite.org/wal.html).
    return Statement(connection, "PRAGMA journal_mode = DELETE").Run();
  });
  if (closed || closed.error().code() != ErrorCode::kTimeout) return closed;
  return Fail(Error(ErrorCode::kExists, Cat(FileIn(directory), " is open: a pool uses it"))
                  .WithHint("stop the pool (and other depot-pool commands) first"));
}

}  // namespace depot::records
