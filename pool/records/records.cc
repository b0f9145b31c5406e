#include "pool/records/records.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

#include "driver/base/fd.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "pool/records/database.h"

namespace depot::records {
namespace {

constexpr std::int64_t kKeptPerProject = 10000;
constexpr std::int64_t kSchema = 3;
constexpr std::string_view kSetSchema = "PRAGMA user_version = 3";

// One string with several statements would only run its first.
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
    R"(CREATE TABLE logins (code TEXT PRIMARY KEY, token_hash TEXT NOT NULL,
       expires_at INTEGER NOT NULL, user TEXT NOT NULL))",
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

constexpr std::string_view kSelectClaims =
    "SELECT build, platform, claims.project, ticket, builder, turn, grounds, asked_at, granted_at"
    " FROM claims ";

constexpr std::string_view kSelectBuilds =
    "SELECT number, id, project, creator, created_at, ends_at, token_hash, saved, options,"
    " state, error, finished_at, cancel_at, admitted_by FROM builds ";

constexpr std::int64_t Code(State state) {
  return static_cast<std::int64_t>(state);
}

BuildRecord ReadBuild(const Statement& row) {
  BuildRecord build;
  build.number = row.Number(0);
  build.id = row.Text(1);
  build.project = row.Text(2);
  build.creator = row.Text(3);
  build.created_at = row.Number(4);
  build.ends_at = row.Number(5);
  build.token_hash = row.Text(6);
  build.saved = row.Number(7) != 0;
  build.options = row.Text(8);
  build.state = static_cast<State>(row.Number(9));
  build.error = row.Text(10);
  build.finished_at = row.Number(11);
  build.cancel_at = row.Number(12);
  build.admitted_by = row.Text(13);
  return build;
}

Result<std::vector<BuildRecord>> ReadBuilds(Statement& statement) {
  std::vector<BuildRecord> builds;
  while (true) {
    TRY_ASSIGN(bool row, statement.Step());
    if (!row) return builds;
    builds.push_back(ReadBuild(statement));
  }
}

Result<std::vector<Claim>> ReadClaims(Statement& statement) {
  std::vector<Claim> claims;
  while (true) {
    TRY_ASSIGN(bool row, statement.Step());
    if (!row) return claims;
    Claim claim{statement.Text(0),   statement.Text(1), statement.Text(2),
                statement.Number(3), statement.Text(4), statement.Number(5)};
    claim.grounds = static_cast<Grounds>(statement.Number(6));
    claim.asked_at = statement.Number(7);
    claim.granted_at = statement.Number(8);
    claims.push_back(std::move(claim));
  }
}

/// Whether the statement, which ends in RETURNING, found something to change.
Result<bool> Changes(Statement& statement) {
  TRY_ASSIGN(bool changed, statement.Step());
  if (changed) TRY(statement.Run());
  return changed;
}

/// The version is looked at again inside the transaction: two processes may start at once.
Result<> MakeTables(sqlite3* database) {
  Statement version(database, "PRAGMA user_version");
  TRY(version.Step());
  std::int64_t have = version.Number(0);
  if (have == kSchema) return {};
  if (have > kSchema) {
    return Fail(Error(ErrorCode::kInvalid,
                      Cat("the file was made by a newer depot-pool (schema ", have, ")"))
                    .WithHint("use that version, or another `state` directory"));
  }
  if (have == 0) {
    for (std::string_view table : kTables)
      TRY(Statement(database, table).Run());
  }
  if (have < 2) {
    for (std::string_view addition : kSecondSchema)
      TRY(Statement(database, addition).Run());
  }
  for (std::string_view addition : kThirdSchema)
    TRY(Statement(database, addition).Run());
  return Statement(database, kSetSchema).Run();
}

class SqliteRecords final : public Records {
 public:
  explicit SqliteRecords(const std::string& path) : database_(path) {}

  Result<> Open(std::chrono::milliseconds patience) {
    TRY(database_.Change(MakeTables));
    TRY(Inspect());
    database_.SetPatience(patience);
    return {};
  }

  Result<> Create(const BuildRecord& build) override {
    return database_.Change([&](sqlite3* database) -> Result<> {
      Statement insert(database,
                       "INSERT INTO builds (id, project, creator, created_at, ends_at, token_hash,"
                       " saved, options, state, admitted_by, error, finished_at, cancel_at)"
                       " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, 0)");
      insert.With(build.id).With(build.project).With(build.creator).With(build.created_at);
      insert.With(build.ends_at).With(build.token_hash).With(std::int64_t{build.saved});
      insert.With(build.options).With(Code(State::kRunning));
      TRY(insert.With(build.admitted_by).Run());
      Statement prune(database,
                      "DELETE FROM builds WHERE project = ?1 AND state <> ?2 AND number <= (SELECT"
                      " number FROM builds WHERE project = ?1 ORDER BY number DESC"
                      " LIMIT 1 OFFSET ?3)");
      return prune.With(build.project).With(Code(State::kRunning)).With(kKeptPerProject).Run();
    });
  }

  Result<BuildRecord> Find(const std::string& id) override { return FindOne("id", id); }

  Result<BuildRecord> FindByToken(const std::string& token_hash) override {
    return FindOne("token_hash", token_hash);
  }

  Result<bool> Finish(const std::string& id,
                      State state,
                      const std::string& error,
                      std::int64_t now) override {
    bool changed = false;
    TRY(database_.Change([&](sqlite3* database) -> Result<> {
      Statement update(database,
                       "UPDATE builds SET state = ?, error = ?, finished_at = ?"
                       " WHERE id = ? AND state IN (?, ?) RETURNING 1");
      update.With(Code(state)).With(error).With(now).With(id);
      update.With(Code(State::kRunning)).With(Code(State::kLost));
      TRY_ASSIGN(changed, Changes(update));
      return {};
    }));
    return changed;
  }

  Result<bool> RequestCancel(const std::string& id, std::int64_t now) override {
    bool changed = false;
    TRY(database_.Change([&](sqlite3* database) -> Result<> {
      Statement update(database,
                       "UPDATE builds SET cancel_at = CASE cancel_at WHEN 0 THEN ? ELSE cancel_at"
                       " END WHERE id = ? AND state = ? RETURNING 1");
      TRY_ASSIGN(changed, Changes(update.With(now).With(id).With(Code(State::kRunning))));
      return {};
    }));
    return changed;
  }

  Result<std::vector<BuildRecord>> List(const std::string& project,
                                        int limit,
                                        std::int64_t before) override {
    std::int64_t below = before > 0 ? before : INT64_MAX;
    return database_.Use<std::vector<BuildRecord>>([&](sqlite3* database) {
      Statement select(database,
                       Cat(kSelectBuilds, project.empty() ? "WHERE" : "WHERE project = ? AND",
                           " number < ? ORDER BY number DESC LIMIT ?"));
      if (!project.empty()) select.With(project);
      return ReadBuilds(select.With(below).With(std::int64_t{limit}));
    });
  }

  Result<std::vector<BuildRecord>> Running() override {
    return database_.Use<std::vector<BuildRecord>>([&](sqlite3* database) {
      Statement select(database, Cat(kSelectBuilds, "WHERE state = ? ORDER BY number"));
      return ReadBuilds(select.With(Code(State::kRunning)));
    });
  }

  Result<std::map<State, std::int64_t>> Count() override {
    using Counts = std::map<State, std::int64_t>;
    return database_.Use<Counts>([](sqlite3* database) -> Result<Counts> {
      Counts counts;
      Statement select(database, "SELECT state, count(*) FROM builds GROUP BY state");
      while (true) {
        TRY_ASSIGN(bool row, select.Step());
        if (!row) return counts;
        counts[static_cast<State>(select.Number(0))] = select.Number(1);
      }
    });
  }

  Result<> StoreClaim(const Claim& claim) override {
    return database_.Change([&](sqlite3* database) {
      Statement insert(database,
                       "INSERT INTO claims (build, platform, project, ticket, builder, turn,"
                       " grounds, asked_at, granted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                       " ON CONFLICT (build, platform) DO UPDATE SET project = excluded.project,"
                       " ticket = excluded.ticket, builder = excluded.builder,"
                       " turn = excluded.turn, grounds = excluded.grounds,"
                       " granted_at = excluded.granted_at");
      insert.With(claim.build).With(claim.platform).With(claim.project).With(claim.ticket);
      insert.With(claim.builder).With(claim.turn).With(static_cast<std::int64_t>(claim.grounds));
      return insert.With(claim.asked_at).With(claim.granted_at).Run();
    });
  }

  Result<> RemoveClaim(const Claim& claim) override {
    return database_.Change([&](sqlite3* database) {
      Statement remove(database, "DELETE FROM claims WHERE build = ? AND platform = ?");
      return remove.With(claim.build).With(claim.platform).Run();
    });
  }

  Result<std::vector<Claim>> OpenClaims() override {
    return database_.Use<std::vector<Claim>>([](sqlite3* database) {
      Statement select(database, Cat(kSelectClaims,
                                     "JOIN builds ON builds.id = build WHERE state = ?"
                                     " ORDER BY turn, ticket"));
      return ReadClaims(select.With(Code(State::kRunning)));
    });
  }

  Result<std::vector<Claim>> ClaimsOf(const std::string& build) override {
    return database_.Use<std::vector<Claim>>([&](sqlite3* database) {
      Statement select(database, Cat(kSelectClaims, "WHERE build = ? ORDER BY platform"));
      return ReadClaims(select.With(build));
    });
  }

  Result<std::vector<Claim>> ClaimsFrom(std::int64_t number) override {
    return database_.Use<std::vector<Claim>>([&](sqlite3* database) {
      Statement select(database, Cat(kSelectClaims,
                                     "JOIN builds ON builds.id = build WHERE number >= ?"
                                     " ORDER BY number, platform"));
      return ReadClaims(select.With(number));
    });
  }

  Result<> StoreLogin(const LoginRecord& login, std::int64_t now) override {
    return database_.Change([&](sqlite3* database) -> Result<> {
      TRY(Statement(database, "DELETE FROM logins WHERE expires_at < ?").With(now).Run());
      Statement insert(database,
                       "INSERT INTO logins (code, token_hash, expires_at, user)"
                       " VALUES (?, ?, ?, ?)");
      insert.With(login.code).With(login.token_hash).With(login.expires_at);
      return insert.With(login.user).Run();
    });
  }

  Result<LoginRecord> FindLogin(const std::string& code, std::int64_t now) override {
    return database_.Use<LoginRecord>([&](sqlite3* database) -> Result<LoginRecord> {
      Statement select(database,
                       "SELECT code, token_hash, expires_at, user FROM logins"
                       " WHERE code = ? AND expires_at >= ?");
      TRY_ASSIGN(bool row, select.With(code).With(now).Step());
      if (!row) return Fail(ErrorCode::kNotFound, "there is no open login with this code");
      return LoginRecord{select.Text(0), select.Text(1), select.Number(2), select.Text(3)};
    });
  }

  Result<> ApproveLogin(const std::string& code, const std::string& user) override {
    return database_.Change([&](sqlite3* database) {
      Statement update(database, "UPDATE logins SET user = ? WHERE code = ?");
      return update.With(user).With(code).Run();
    });
  }

  Result<> RemoveLogin(const std::string& code) override {
    return database_.Change([&](sqlite3* database) {
      return Statement(database, "DELETE FROM logins WHERE code = ?").With(code).Run();
    });
  }

  Result<> Check() override {
    // Writes what is there already.
    return database_.Change(
        [](sqlite3* database) { return Statement(database, kSetSchema).Run(); });
  }

 private:
  Result<> Inspect() {
    return database_.Use<void>([](sqlite3* database) -> Result<> {
      Statement check(database, "PRAGMA quick_check(1)");
      TRY(check.Step());
      std::string verdict = check.Text(0);
      if (verdict == "ok") return {};
      return Fail(Error(ErrorCode::kInvalid, Cat("the file is damaged (", Printable(verdict), ")"))
                      .WithHint("stop the pool, move builds.sqlite, -wal and -shm away or put a "
                                "backup in their place, and start it again"));
    });
  }

  Result<BuildRecord> FindOne(std::string_view column, const std::string& value) {
    return database_.Use<BuildRecord>([&](sqlite3* database) -> Result<BuildRecord> {
      Statement select(database, Cat(kSelectBuilds, "WHERE ", column, " = ?"));
      TRY_ASSIGN(bool row, select.With(value).Step());
      if (!row) return Fail(ErrorCode::kNotFound, "there is no such build");
      return ReadBuild(select);
    });
  }

  Database database_;
};

}  // namespace

std::string StateName(State state) {
  switch (state) {
    case State::kRunning:
      return "running";
    case State::kSucceeded:
      return "succeeded";
    case State::kFailed:
      return "failed";
    case State::kCanceled:
      return "canceled";
    case State::kLost:
      break;
  }
  return "lost";
}

Result<std::unique_ptr<Records>> OpenRecords(const std::string& directory,
                                             std::chrono::milliseconds patience) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail(SystemError(Cat("make the state directory ", directory), errno));
  }
  std::string path = Cat(directory, "/builds.sqlite");
  // SQLite gives its other files the mode of this one.
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) return Fail(SystemError(Cat("open ", path), errno));
  file.Reset();
  auto records = std::make_unique<SqliteRecords>(path);
  Result<> opened = records->Open(patience);
  if (!opened) return Fail(std::move(opened).error());
  return records;
}

}  // namespace depot::records
