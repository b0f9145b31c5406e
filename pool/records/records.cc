#include "pool/records/records.h"

#include "driver/base/text.h"
#include "pool/records/account_records.h"
#include "pool/records/remembered.h"
#include "pool/records/sqlite_store.h"

namespace depot::records {
namespace {

constexpr std::int64_t kKeptPerProject = 10000;

/// A server over a network: thousands of clients ask for the same builds again and again, and the
/// upkeep reads all of them once a second. A file is as near as memory.
constexpr std::chrono::milliseconds kFresh(1500);
constexpr std::chrono::milliseconds kNeverFresh(0);

constexpr std::string_view kSelectClaims =
    "SELECT build, platform, claims.project, ticket, builder, turn, grounds, asked_at, granted_at"
    " FROM claims ";

constexpr std::string_view kSelectBuilds =
    "SELECT number, id, project, creator, created_at, ends_at, token_hash, saved, options,"
    " state, error, finished_at, cancel_at, admitted_by FROM builds ";

constexpr std::int64_t Code(State state) {
  return static_cast<std::int64_t>(state);
}

BuildRecord ReadBuild(const SqlRow& row) {
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

Claim ReadClaim(const SqlRow& row) {
  Claim claim{row.Text(0), row.Text(1), row.Text(2), row.Number(3), row.Text(4), row.Number(5)};
  claim.grounds = static_cast<Grounds>(row.Number(6));
  claim.asked_at = row.Number(7);
  claim.granted_at = row.Number(8);
  return claim;
}

class SqlRecords : public AccountRecords {
 public:
  SqlRecords(SqlStore& store, std::chrono::milliseconds fresh)
      : AccountRecords(store), store_(store), remembered_(fresh) {}

  Result<> Create(const BuildRecord& build) override {
    return store_.Change([&](Sql& sql) -> Result<> {
      TRY(
          sql.Run("INSERT INTO builds (id, project, creator, created_at, ends_at, token_hash,"
                  " saved, options, state, admitted_by, error, finished_at, cancel_at)"
                  " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', 0, 0)",
                  {build.id, build.project, build.creator, build.created_at, build.ends_at,
                   build.token_hash, std::int64_t{build.saved}, SqlBytes{build.options},
                   Code(State::kRunning), build.admitted_by}));
      TRY(
          sql.Run("DELETE FROM builds WHERE project = $1 AND state <> $2 AND number <= (SELECT"
                  " number FROM builds WHERE project = $1 ORDER BY number DESC"
                  " LIMIT 1 OFFSET $3)",
                  {build.project, Code(State::kRunning), kKeptPerProject}));
      return {};
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
    return Changes(id,
                   "UPDATE builds SET state = $1, error = $2, finished_at = $3"
                   " WHERE id = $4 AND state IN ($5, $6) RETURNING 1",
                   {Code(state), error, now, id, Code(State::kRunning), Code(State::kLost)});
  }

  Result<bool> RequestCancel(const std::string& id, std::int64_t now) override {
    return Changes(id,
                   "UPDATE builds SET cancel_at = CASE cancel_at WHEN 0 THEN $1 ELSE cancel_at"
                   " END WHERE id = $2 AND state = $3 RETURNING 1",
                   {now, id, Code(State::kRunning)});
  }

  Result<std::vector<BuildRecord>> List(const std::string& project,
                                        int limit,
                                        std::int64_t before) override {
    SqlValues values{before > 0 ? before : INT64_MAX, std::int64_t{limit}};
    if (!project.empty()) values.emplace_back(project);
    return Builds(Cat("WHERE ", project.empty() ? "" : "project = $3 AND ",
                      "number < $1 ORDER BY number DESC LIMIT $2"),
                  values);
  }

  Result<std::vector<BuildRecord>> Running() override {
    const std::uint64_t begun = remembered_.Begin();
    TRY_ASSIGN(auto builds, Builds("WHERE state = $1 ORDER BY number", {Code(State::kRunning)}));
    for (const BuildRecord& build : builds)
      remembered_.Keep(build, begun);
    return builds;
  }

  Result<std::map<State, std::int64_t>> Count() override {
    TRY_ASSIGN(SqlRows rows, store_.Read("SELECT state, count(*) FROM builds GROUP BY state"));
    std::map<State, std::int64_t> counts;
    for (const SqlRow& row : rows)
      counts[static_cast<State>(row.Number(0))] = row.Number(1);
    return counts;
  }

  Result<> StoreClaim(const Claim& claim) override {
    return Do(
        "INSERT INTO claims (build, platform, project, ticket, builder, turn,"
        " grounds, asked_at, granted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " ON CONFLICT (build, platform) DO UPDATE SET project = excluded.project,"
        " ticket = excluded.ticket, builder = excluded.builder,"
        " turn = excluded.turn, grounds = excluded.grounds,"
        " granted_at = excluded.granted_at",
        {claim.build, claim.platform, claim.project, claim.ticket, claim.builder, claim.turn,
         static_cast<std::int64_t>(claim.grounds), claim.asked_at, claim.granted_at});
  }

  Result<> RemoveClaim(const Claim& claim) override {
    return Do("DELETE FROM claims WHERE build = $1 AND platform = $2",
              {claim.build, claim.platform});
  }

  Result<std::vector<Claim>> OpenClaims() override {
    return Claims("JOIN builds ON builds.id = build WHERE state = $1 ORDER BY turn, ticket",
                  {Code(State::kRunning)});
  }

  Result<std::vector<Claim>> ClaimsOf(const std::string& build) override {
    return Claims("WHERE build = $1 ORDER BY platform", {build});
  }

  Result<std::vector<Claim>> ClaimsFrom(std::int64_t number) override {
    return Claims("JOIN builds ON builds.id = build WHERE number >= $1 ORDER BY number, platform",
                  {number});
  }

  Result<> Check() override { return store_.Check(); }

 private:
  /// Whether the statement, which ends in RETURNING, found something to change of the build.
  Result<bool> Changes(const std::string& id, std::string_view sql, const SqlValues& values) {
    bool changed = false;
    Result<> done = store_.Change([&](Sql& session) -> Result<> {
      TRY_ASSIGN(SqlRows rows, session.Run(sql, values));
      changed = !rows.empty();
      return {};
    });
    // Also when it is not known whether it was done.
    remembered_.Change(id);
    TRY(std::move(done));
    return changed;
  }

  Result<std::vector<BuildRecord>> Builds(std::string_view which, const SqlValues& values) {
    TRY_ASSIGN(SqlRows rows, store_.Read(Cat(kSelectBuilds, which), values));
    return ReadEach(rows, ReadBuild);
  }

  Result<std::vector<Claim>> Claims(std::string_view which, const SqlValues& values) {
    TRY_ASSIGN(SqlRows rows, store_.Read(Cat(kSelectClaims, which), values));
    return ReadEach(rows, ReadClaim);
  }

  Result<BuildRecord> FindOne(std::string_view column, const std::string& value) {
    if (auto known = remembered_.Fresh(value)) return *std::move(known);
    const std::uint64_t begun = remembered_.Begin();
    auto builds = Builds(Cat("WHERE ", column, " = $1"), {value});
    if (!builds) return remembered_.Or(value, std::move(builds).error());
    if (builds->empty()) return Fail(ErrorCode::kNotFound, "there is no such build");
    remembered_.Keep(builds->front(), begun);
    return std::move(builds->front());
  }

  SqlStore& store_;
  Remembered remembered_;
};

/// Records that own their file.
class OwnRecords final : public SqlRecords {
 public:
  explicit OwnRecords(std::unique_ptr<SqlStore> store)
      : SqlRecords(*store, kNeverFresh), owned_(std::move(store)) {}

 private:
  std::unique_ptr<SqlStore> owned_;
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

std::unique_ptr<Records> MakeRecords(SqlStore& store) {
  return std::make_unique<SqlRecords>(store, kFresh);
}

Result<std::unique_ptr<Records>> OpenRecords(const std::string& directory,
                                             std::chrono::milliseconds patience) {
  TRY_ASSIGN(auto store, OpenSqliteStore(directory, patience));
  return std::make_unique<OwnRecords>(std::move(store));
}

}  // namespace depot::records
