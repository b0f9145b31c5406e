#include "pool/records/shared_claims.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "driver/base/text.h"

namespace depot::records {
namespace {

using std::chrono::milliseconds;

#define DEPOT_DATABASE_NOW "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

constexpr std::string_view kLockClaims = "SELECT pg_advisory_xact_lock(1, 0)";

/// All that has changed since a version, and always a first column: the time there.
constexpr std::string_view kChanges =
    "SELECT clock.now, version, open, ticket, build, platform, project, builder, turn, grounds,"
    " passed, told, since FROM (SELECT " DEPOT_DATABASE_NOW
    " AS now) AS clock LEFT JOIN claims ON version > $1 AND (open = 1 OR $1 > 0)";

/// What a transaction changes, at once: $1 to $3 are the claims that end, $4 to $13 those that are
/// stored, where ticket 0 wants a new one; $14 is the time there. Answers with the version of all
/// that and the tickets of what was stored, in its order.
constexpr std::string_view kWriteClaims =
    "WITH next AS MATERIALIZED (SELECT nextval('claim_versions') AS version),"
    " kept AS MATERIALIZED (SELECT build, platform, project, ticket = 0 AS is_new,"
    " CASE ticket WHEN 0 THEN nextval('claim_tickets') ELSE ticket END AS ticket, builder, turn,"
    " grounds, passed, told, since, place FROM unnest($4::text[], $5::text[], $6::text[],"
    " $7::bigint[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],"
    " $13::bigint[]) WITH ORDINALITY AS kept (build, platform, project, ticket, builder, turn,"
    " grounds, passed, told, since, place)),"
    " ended AS (UPDATE claims SET open = 0, version = next.version FROM next,"
    " unnest($1::text[], $2::text[], $3::bigint[]) AS gone (build, platform, ticket)"
    " WHERE claims.build = gone.build AND claims.platform = gone.platform"
    " AND claims.ticket = gone.ticket),"
    " asked AS (UPDATE builds SET asked = 1, last_sign = $14::bigint FROM kept"
    " WHERE kept.is_new AND builds.id = kept.build),"
    " stored AS (INSERT INTO claims (build, platform, project, ticket, builder, turn, grounds,"
    " passed, told, since, asked_at, granted_at, last_sign, open, version)"
    " SELECT build, platform, project, ticket, builder, turn, grounds, passed, told, since,"
    " $14::bigint / 1000, CASE builder WHEN '' THEN 0 ELSE $14::bigint / 1000 END, $14::bigint, 1,"
    " next.version FROM kept, next ON CONFLICT (build, platform) DO UPDATE SET"
    " project = excluded.project, ticket = excluded.ticket, builder = excluded.builder,"
    " turn = excluded.turn, grounds = excluded.grounds, passed = excluded.passed,"
    " told = excluded.told, since = excluded.since, asked_at = CASE WHEN claims.ticket ="
    " excluded.ticket THEN claims.asked_at ELSE excluded.asked_at END, granted_at = CASE WHEN"
    " claims.builder = excluded.builder THEN claims.granted_at ELSE excluded.granted_at END,"
    " last_sign = excluded.last_sign, open = 1, version = excluded.version)"
    " SELECT next.version, kept.ticket FROM next LEFT JOIN kept ON true ORDER BY kept.place";

/// Silent builds: $1 is who may be silent for so long that asked already, $2 the others; $3 is how
/// long the server has to be up.
constexpr std::string_view kSilentBuilds =
    "SELECT id FROM builds WHERE state = 0 AND last_sign < " DEPOT_DATABASE_NOW
    " - CASE asked WHEN 1 THEN $1::bigint ELSE $2::bigint END"
    " AND pg_postmaster_start_time() <= clock_timestamp() - $3::bigint * interval '1 ms'";

/// Claims that are silent by themselves, or whose build has ended in a pool that ended then.
constexpr std::string_view kSilentClaims =
    "SELECT ticket, builds.state FROM claims"
    " JOIN builds ON builds.id = build WHERE open = 1 AND (builds.state <> 0 OR claims.last_sign "
    "< " DEPOT_DATABASE_NOW
    " - $1::bigint"
    " AND pg_postmaster_start_time() <= clock_timestamp() - $2::bigint * interval '1 ms')";

constexpr std::string_view kSignBuilds =
    "UPDATE builds SET last_sign = " DEPOT_DATABASE_NOW " WHERE id = ANY ($1::text[])";

constexpr std::string_view kSignClaims =
    "UPDATE claims SET last_sign = " DEPOT_DATABASE_NOW
    " WHERE (build, platform) IN (SELECT * FROM unnest($1::text[], $2::text[]))";

#undef DEPOT_DATABASE_NOW

/// A column of several rows, as the literal of an array (PostgreSQL manual, 8.15.2).
class Column {
 public:
  void Add(std::string_view text) {
    literal_ += literal_.empty() ? "\"" : ",\"";
    for (char c : text)
      literal_ += c == '"' || c == '\\' ? Cat('\\', c) : Cat(c);
    literal_ += '"';
  }
  void Add(std::int64_t number) { literal_ += Cat(literal_.empty() ? "" : ",", number); }

  std::string Literal() const { return Cat('{', literal_, '}'); }

 private:
  std::string literal_;
};

Lease ReadLease(const SqlRow& row) {
  Lease lease;
  lease.claim = {row.Text(4), row.Text(5), row.Text(6), row.Number(3), row.Text(7), row.Number(8)};
  lease.claim.grounds = static_cast<Grounds>(row.Number(9));
  lease.claim.passed = static_cast<int>(row.Number(10));
  lease.claim.since = milliseconds(row.Number(12));
  lease.told = row.Number(11) != 0;
  return lease;
}

/// Whose claim it is: there is one of each, whose ticket may change.
using Owner = std::pair<std::string_view, std::string_view>;  // build, platform

Owner OwnerOf(const Claim& claim) {
  return {claim.build, claim.platform};
}

/// Writes down how one state differs from another.
class Difference {
 public:
  /// Both must outlive it.
  Difference(const SlotBook::Claims& before, SlotBook::Claims& after) : after_(after) {
    std::set<Owner> owners;
    for (const auto& [ticket, lease] : after) {
      auto known = before.find(ticket);
      if (known != before.end() && known->second == lease) continue;
      Keep(lease, known == before.end());
      owners.insert(OwnerOf(lease.claim));
    }
    for (const auto& [ticket, lease] : before) {
      // One that is replaced needs no end of its own, and its row can be changed once only.
      if (after.contains(ticket) || owners.contains(OwnerOf(lease.claim))) continue;
      gone_[0].Add(lease.claim.build);
      gone_[1].Add(lease.claim.platform);
      gone_[2].Add(ticket);
      any_ = true;
    }
  }

  /// The version of what was written; 0 when there is no difference.
  Result<std::int64_t> Write(Sql& sql, Slots::Moment now) {
    if (!any_) return 0;
    SqlValues values;
    for (const Column& column : gone_)
      values.emplace_back(column.Literal());
    for (const Column& column : kept_)
      values.emplace_back(column.Literal());
    values.emplace_back(std::int64_t{now.count()});
    TRY_ASSIGN(SqlRows rows, sql.Run(kWriteClaims, values));
    // New tickets are of the database: those of the book may be another pool's too.
    SlotBook::Claims fresh;
    for (std::size_t i = 0; i < tickets_.size(); ++i) {
      auto& [ticket, is_new] = tickets_[i];
      if (!is_new) continue;
      auto entry = after_.extract(ticket);
      entry.key() = rows.at(i).Number(1);
      entry.mapped().claim.ticket = entry.key();
      fresh.insert(std::move(entry));
    }
    after_.merge(fresh);
    return rows.at(0).Number(0);
  }

 private:
  void Keep(const Lease& lease, bool is_new) {
    const Claim& claim = lease.claim;
    kept_[0].Add(claim.build);
    kept_[1].Add(claim.platform);
    kept_[2].Add(claim.project);
    kept_[3].Add(is_new ? 0 : claim.ticket);
    kept_[4].Add(claim.builder);
    kept_[5].Add(claim.turn);
    kept_[6].Add(static_cast<std::int64_t>(claim.grounds));
    kept_[7].Add(std::int64_t{claim.passed});
    kept_[8].Add(std::int64_t{lease.told});
    kept_[9].Add(std::int64_t{claim.since.count()});
    tickets_.emplace_back(claim.ticket, is_new);
    any_ = true;
  }

  SlotBook::Claims& after_;
  std::array<Column, 3> gone_;
  std::array<Column, 10> kept_;
  std::vector<std::pair<std::int64_t, bool>> tickets_;  ///< of `kept_`; whether they are new
  bool any_ = false;
};

std::int64_t Count(milliseconds time) {
  return time.count();
}

}  // namespace

Result<> ClaimsCopy::CatchUp(Sql& sql) {
  TRY_ASSIGN(SqlRows rows, sql.Run(kChanges, {version}));
  if (version == 0) claims.clear();
  now = milliseconds(rows.at(0).Number(0));
  std::set<Owner> changed;
  for (const SqlRow& row : rows)
    changed.insert({row.Text(4), row.Text(5)});
  std::erase_if(claims,
                [&](const auto& entry) { return changed.contains(OwnerOf(entry.second.claim)); });
  for (const SqlRow& row : rows) {
    version = std::max(version, row.Number(1));
    if (row.Number(2) == 1) claims[row.Number(3)] = ReadLease(row);
  }
  return {};
}

Result<> LockClaims(Sql& sql) {
  TRY(sql.Run(kLockClaims));
  return {};
}

Result<> WriteClaims(Sql& sql, ClaimsCopy& copy, SlotBook::Claims after) {
  TRY_ASSIGN(std::int64_t version, Difference(copy.claims, after).Write(sql, copy.now));
  copy.claims = std::move(after);
  copy.version = std::max(copy.version, version);
  return {};
}

void SignsOfLife::Add(const std::string& build, const std::string& platform) {
  std::lock_guard lock(mutex_);
  signs_.insert({build, platform});
}

milliseconds SignsOfLife::Age() const {
  std::lock_guard lock(mutex_);
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - written_);
}

Result<> SignsOfLife::Write(SqlStore& store) {
  Signs signs;
  {
    std::lock_guard lock(mutex_);
    signs = std::exchange(signs_, {});
  }
  Result<> written;
  if (!signs.empty()) written = store.Change([&](Sql& sql) { return Write(sql, signs); });
  std::lock_guard lock(mutex_);
  if (written) {
    written_ = std::chrono::steady_clock::now();
  } else {
    signs_.merge(signs);
  }
  return written;
}

Result<> SignsOfLife::Write(Sql& sql, const Signs& signs) {
  TRY(LockClaims(sql));
  Column builds;
  Column platforms;
  for (const auto& [build, platform] : signs) {
    builds.Add(build);
    platforms.Add(platform);
  }
  TRY(sql.Run(kSignBuilds, {builds.Literal()}));
  TRY(sql.Run(kSignClaims, {builds.Literal(), platforms.Literal()}));
  return {};
}

Result<Silent> FindSilent(Sql& sql, milliseconds settled) {
  Silent silent;
  TRY_ASSIGN(SqlRows builds,
             sql.Run(kSilentBuilds, {Count(kSilence), Count(kUnasked), Count(settled)}));
  for (const SqlRow& row : builds)
    silent.builds.push_back(row.Text(0));
  TRY_ASSIGN(SqlRows claims, sql.Run(kSilentClaims, {Count(kSilence), Count(settled)}));
  for (const SqlRow& row : claims)
    (row.Number(1) == 0 ? silent.claims : silent.ended).push_back(row.Number(0));
  return silent;
}

}  // namespace depot::records
