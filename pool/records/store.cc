#include "pool/records/store.h"

#include <array>
#include <cerrno>

#include <sys/stat.h>

#include "driver/base/text.h"
#include "pool/records/sqlite_store.h"

namespace depot::records {
namespace {

/// One table's columns, as both have them: what is copied row by row.
struct CopiedTable {
  std::string_view name;
  std::string_view columns;
  std::string_view bytes = "";  ///< the column that is no text
};

// Builds first: claims belong to them.
constexpr std::array<CopiedTable, 4> kCopied{{
    {"builds",
     "number,id,project,creator,created_at,ends_at,token_hash,saved,state,error,finished_at,"
     "cancel_at,admitted_by,options",
     "options"},
    {"claims", "build,platform,project,ticket,builder,turn,grounds,asked_at,granted_at"},
    {"logins", "code,token_hash,expires_at,\"user\",id_hash,network"},
    {"secrets", "name,value"},
}};

/// Claims of builds that run go on in the queue; its numbers go on behind theirs.
constexpr std::array<std::string_view, 4> kTakeUp{
    "UPDATE builds SET asked = 1 WHERE id IN (SELECT build FROM claims)",
    "UPDATE claims SET open = 1, told = CASE builder WHEN '' THEN 0 ELSE 1 END,"
    " since = (extract(epoch FROM clock_timestamp()) * 1000)::bigint,"
    " last_sign = (extract(epoch FROM clock_timestamp()) * 1000)::bigint,"
    " version = nextval('claim_versions')"
    " WHERE build IN (SELECT id FROM builds WHERE state = 0)",
    "SELECT setval('claim_tickets', (SELECT coalesce(max(ticket), 0) + 1 FROM claims))",
    "SELECT setval('builds_number_seq', (SELECT coalesce(max(number), 0) + 1 FROM builds))",
};

Result<> Insert(Sql& to, const CopiedTable& table, const SqlRow& row) {
  std::vector<std::string_view> columns = Split(table.columns, ',');
  std::string places;
  SqlValues values;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    places += Cat(i == 0 ? "$" : ", $", i + 1);
    if (columns[i] == table.bytes) {
      values.emplace_back(SqlBytes{row.Text(i)});
    } else {
      values.emplace_back(row.Text(i));
    }
  }
  TRY(to.Run(Cat("INSERT INTO ", table.name, " (", table.columns, ") VALUES (", places, ')'),
             values));
  return {};
}

Result<std::int64_t> CopyTables(SqlStore& from, Sql& to) {
  TRY_ASSIGN(SqlRows there, to.Run("SELECT 1 FROM builds LIMIT 1"));
  if (!there.empty()) {
    return Fail(Error(ErrorCode::kExists, "the database has builds already: nothing was copied")
                    .WithHint("migrate into an empty database, before a pool has used it"));
  }
  // Tokens of logins that wait are made with the file's.
  TRY(to.Run("DELETE FROM secrets"));
  std::int64_t builds = 0;
  for (const CopiedTable& table : kCopied) {
    TRY_ASSIGN(SqlRows rows, from.Read(Cat("SELECT ", table.columns, " FROM ", table.name)));
    for (const SqlRow& row : rows)
      TRY(Insert(to, table, row));
    if (table.name == "builds") builds = static_cast<std::int64_t>(rows.size());
  }
  for (std::string_view step : kTakeUp)
    TRY(to.Run(step));
  return builds;
}

}  // namespace

Result<Store> OpenStore(const settings::Settings& settings, std::chrono::milliseconds patience) {
  Store store;
  if (settings.store.empty()) {
    TRY_ASSIGN(store.records, OpenRecords(settings.state, patience));
    return store;
  }
  TRY_ASSIGN(store.database, OpenPostgresStore({settings.store, settings.store_password}));
  store.records = MakeRecords(*store.database);
  return store;
}

Result<Store> OpenServerStore(const settings::Settings& settings) {
  Fd alone;
  if (settings.store.empty()) {
    TRY_ASSIGN(alone, ServeAlone(settings.state));
  }
  TRY_ASSIGN(Store store, OpenStore(settings, std::chrono::milliseconds(0)));
  store.alone = std::move(alone);
  return store;
}

Result<std::int64_t> CopyFileToDatabase(const settings::Settings& settings) {
  struct stat file {};
  const std::string path = Cat(settings.state, "/builds.sqlite");
  if (::stat(path.c_str(), &file) != 0) {
    Error error = SystemError(Cat("open ", path), errno);
    if (error.code() != ErrorCode::kNotFound) return Fail(std::move(error));
    return Fail(
        std::move(error).WithHint("a new pool needs no `migrate`: start it, and it makes its "
                                  "tables; an old one's records are in its `state` folder, so run "
                                  "this where that is, as its user"));
  }
  TRY(CheckSqliteIsClosed(settings.state));
  TRY_ASSIGN(auto from, OpenSqliteStore(settings.state, kLockPatience));
  TRY_ASSIGN(auto to, OpenPostgresStore({settings.store, settings.store_password}));
  std::int64_t builds = 0;
  // Its transaction keeps others from the file meanwhile.
  TRY(from->Change([&](Sql&) {
    return to->Change([&](Sql& sql) -> Result<> {
      TRY_ASSIGN(builds, CopyTables(*from, sql));
      return {};
    });
  }));
  return builds;
}

}  // namespace depot::records
