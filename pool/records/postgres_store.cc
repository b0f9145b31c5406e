#include "pool/records/postgres_store.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "driver/base/encode.h"
#include "driver/base/random.h"
#include "driver/base/task_group.h"
#include "driver/base/text.h"
#include "pool/records/postgres_link.h"

namespace depot::records {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPatience(2000);
constexpr milliseconds kDialAgain(250);

constexpr std::int64_t kSharedSchema = 1;

/// Whoever has it may change the schema; any number that nobody else uses.
constexpr std::string_view kLockSharedSchema = "SELECT pg_advisory_xact_lock(2, 0)";

// `last_sign`, and `since` of claims, are milliseconds of the database's clock.
constexpr std::string_view kPostgresTables[] = {
    R"(CREATE TABLE builds (number BIGSERIAL UNIQUE, id TEXT PRIMARY KEY,
       project TEXT NOT NULL, creator TEXT NOT NULL, created_at BIGINT NOT NULL,
       ends_at BIGINT NOT NULL, token_hash TEXT NOT NULL UNIQUE, saved BIGINT NOT NULL,
       options BYTEA NOT NULL, state BIGINT NOT NULL, error TEXT NOT NULL,
       finished_at BIGINT NOT NULL, cancel_at BIGINT NOT NULL, admitted_by TEXT NOT NULL,
       last_sign BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
       asked BIGINT NOT NULL DEFAULT 0))",
    "CREATE INDEX builds_of_project ON builds (project, number)",
    "CREATE INDEX builds_by_state ON builds (state)",
    R"(CREATE TABLE claims (build TEXT NOT NULL REFERENCES builds (id) ON DELETE CASCADE,
       platform TEXT NOT NULL, project TEXT NOT NULL, ticket BIGINT NOT NULL,
       builder TEXT NOT NULL, turn BIGINT NOT NULL, grounds BIGINT NOT NULL,
       passed BIGINT NOT NULL DEFAULT 0, told BIGINT NOT NULL DEFAULT 0,
       since BIGINT NOT NULL DEFAULT 0, asked_at BIGINT NOT NULL, granted_at BIGINT NOT NULL,
       last_sign BIGINT NOT NULL DEFAULT 0, open BIGINT NOT NULL DEFAULT 0,
       version BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (build, platform)))",
    "CREATE INDEX claims_by_version ON claims (version)",
    "CREATE INDEX claims_open ON claims (open) WHERE open = 1",
    "CREATE SEQUENCE claim_versions",
    "CREATE SEQUENCE claim_tickets",
};

Result<> MakePostgresTables(Sql& sql) {
  TRY(sql.Run(kLockSharedSchema));
  TRY(sql.Run("CREATE TABLE IF NOT EXISTS depot_pool_schema (version BIGINT NOT NULL)"));
  TRY_ASSIGN(SqlRows rows, sql.Run("SELECT version FROM depot_pool_schema"));
  std::int64_t have = rows.empty() ? 0 : rows[0].Number(0);
  if (have == kSharedSchema) return {};
  if (have > kSharedSchema) {
    return Fail(
        Error(ErrorCode::kInvalid, Cat("the database is of a newer depot-pool (schema ", have, ")"))
            .WithHint("use that version, or another database"));
  }
  for (std::string_view table : kPostgresTables)
    TRY(sql.Run(table));
  TRY(MakeSharedTables(sql, Hex(RandomBytes(32))));
  TRY(sql.Run("INSERT INTO depot_pool_schema VALUES ($1)", {kSharedSchema}));
  return {};
}

/// Idle connections are in `idle_`; one thread makes all of them.
class LinkedStore final : public PostgresStore {
 public:
  explicit LinkedStore(PostgresPlace place) : place_(std::move(place)) {}

  Result<> Open() {
    TRY(CheckPostgresUrl(place_.url));
    TRY_ASSIGN(auto first, PostgresLink::Connect(place_));
    idle_.push_back(std::move(first));
    thread_.Start("postgres", [this](const Cancel& stop) { return Dial(stop); });
    return Change(MakePostgresTables);
  }

  Result<SqlRows> Read(std::string_view sql, const SqlValues& values) override {
    TRY_ASSIGN(auto link, Take());
    Result<SqlRows> rows = link->Run(sql, values);
    GiveBack(std::move(link), rows ? "" : rows.error().message());
    return rows;
  }

  Result<> Change(const std::function<Result<>(Sql&)>& work) override {
    TRY_ASSIGN(auto link, Take());
    Result<> changed = Transact(*link, work);
    GiveBack(std::move(link), changed ? "" : changed.error().message());
    return changed;
  }

  Result<> Check() override {
    TRY_ASSIGN(SqlRows rows, Read("SHOW transaction_read_only", {}));
    if (!rows.empty() && rows[0].Text(0) == "off") return {};
    return Fail(ErrorCode::kUnavailable, "the database can only be read");
  }

  milliseconds ReachedFor() const override {
    std::lock_guard lock(mutex_);
    if (why_away_) return milliseconds(0);
    return std::chrono::duration_cast<milliseconds>(Clock::now() - reached_);
  }

 private:
  using Link = std::unique_ptr<PostgresLink>;

  static Result<> Transact(PostgresLink& link, const std::function<Result<>(Sql&)>& work) {
    Result<> result = link.Begin();
    if (result) result = work(link);
    if (result) {
      TRY(link.Run("COMMIT", {}));
      return {};
    }
    // The reason is known already.
    if (link.is_good()) (void)link.Run("ROLLBACK", {});
    return result;
  }

  Result<Link> Take() {
    std::unique_lock lock(mutex_);
    if (idle_.empty() && !why_away_) {
      ++wanted_;
      changed_.notify_all();
      changed_.wait_for(lock, kPatience, [this] { return !idle_.empty() || why_away_; });
      --wanted_;
    }
    if (why_away_) return Fail(ErrorCode::kTimeout, *why_away_);
    if (idle_.empty()) return Fail(ErrorCode::kTimeout, "the database takes no more connections");
    Link link = std::move(idle_.back());
    idle_.pop_back();
    return link;
  }

  /// The others have likely ended with one that has: they go too.
  void GiveBack(Link link, const std::string& why) {
    std::vector<Link> gone;
    std::lock_guard lock(mutex_);
    if (link->is_good()) {
      idle_.push_back(std::move(link));
    } else {
      gone = std::exchange(idle_, {});
      if (!why_away_) why_away_ = why;
    }
    changed_.notify_all();
  }

  Result<> Dial(const Cancel& stop) {
    while (!stop.cancelled()) {
      {
        std::unique_lock lock(mutex_);
        bool wanted = stop.Wait(lock, changed_,
                                [this] { return why_away_ || (wanted_ > 0 && idle_.empty()); });
        if (!wanted) return {};
      }
      Result<Link> link = PostgresLink::Connect(place_);
      const bool connected = link.has_value();
      {
        std::lock_guard lock(mutex_);
        if (link) {
          if (std::exchange(why_away_, std::nullopt)) reached_ = Clock::now();
          idle_.push_back(*std::move(link));
        } else {
          why_away_ = link.error().message();
        }
        changed_.notify_all();
      }
      if (!connected) stop.SleepFor(kDialAgain);
    }
    return {};
  }

  const PostgresPlace place_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Link> idle_;
  int wanted_ = 0;                       ///< how many wait for a connection
  std::optional<std::string> why_away_;  ///< it is not reached
  Clock::time_point reached_ = Clock::now();
  TaskGroup thread_{Cancel::Never()};  // last: joins before the rest goes
};

}  // namespace

Result<std::unique_ptr<PostgresStore>> OpenPostgresStore(PostgresPlace place) {
  auto store = std::make_unique<LinkedStore>(std::move(place));
  TRY(store->Open());
  return store;
}

}  // namespace depot::records
