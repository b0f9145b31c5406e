#include "pool/records/shared_claims.h"

#include <algorithm>

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

constexpr std::string_view kKeepClaim =
    "INSERT INTO claims (build, platform, project, ticket, builder, turn, grounds, passed, told,"
    " since, asked_at, granted_at, last_sign, open, version) VALUES ($1, $2, $3, $4, $5, $6, $7,"
    " $8, $9, $10, $11, $12, $13, 1, $14) ON CONFLICT (build, platform) DO UPDATE SET"
    " project = $3, ticket = $4, builder = $5, turn = $6, grounds = $7, passed = $8, told = $9,"
    " since = $10, asked_at = CASE WHEN claims.ticket = $4 THEN claims.asked_at ELSE $11 END,"
    " granted_at = CASE WHEN claims.builder = $5 THEN claims.granted_at ELSE $12 END,"
    " last_sign = $13, open = 1, version = $14";

constexpr std::string_view kEndClaim =
    "UPDATE claims SET open = 0, version = $3 WHERE build = $1 AND platform = $2 AND ticket = $4";

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

/// The literal of an array (PostgreSQL manual, 8.15.2).
std::string ArrayOf(const std::vector<std::string>& texts) {
  std::string literal = "{";
  for (const std::string& text : texts) {
    literal += literal.size() > 1 ? ",\"" : "\"";
    for (char c : text)
      literal += c == '"' || c == '\\' ? Cat('\\', c) : Cat(c);
    literal += '"';
  }
  return literal + '}';
}

Lease ReadLease(const SqlRow& row) {
  Lease lease;
  lease.claim = {row.Text(4), row.Text(5), row.Text(6), row.Number(3), row.Text(7), row.Number(8)};
  lease.claim.grounds = static_cast<Grounds>(row.Number(9));
  lease.claim.passed = static_cast<int>(row.Number(10));
  lease.claim.since = milliseconds(row.Number(12));
  lease.told = row.Number(11) != 0;
  return lease;
}

/// One row is one build's claim for a platform; its ticket may have changed, or it has ended.
bool WasReplaced(const Lease& lease, const SqlRows& rows) {
  return std::any_of(rows.begin(), rows.end(), [&](const SqlRow& row) {
    return row.Text(4) == lease.claim.build && row.Text(5) == lease.claim.platform;
  });
}

/// Writes down how `after` differs from `before`.
class Difference {
 public:
  Difference(Sql& sql, Slots::Moment now) : sql_(sql), now_(now) {}

  /// The version of what was written; 0 when there is no difference.
  Result<std::int64_t> Write(const SlotBook::Claims& before, SlotBook::Claims& after) {
    TRY(End(before, after));
    // New tickets are of the database: those of the book may be another pool's too.
    SlotBook::Claims fresh;
    for (auto entry = after.begin(); entry != after.end();) {
      auto known = before.find(entry->first);
      const bool is_new = known == before.end();
      if (!is_new && known->second == entry->second) {
        ++entry;
        continue;
      }
      TRY(Keep(entry->second, is_new));
      if (!is_new) {
        ++entry;
        continue;
      }
      fresh.emplace(entry->second.claim.ticket, entry->second);
      entry = after.erase(entry);
    }
    after.merge(fresh);
    return version_;
  }

 private:
  Result<> NeedVersion() {
    if (version_ != 0) return {};
    TRY_ASSIGN(SqlRows rows, sql_.Run("SELECT nextval('claim_versions')"));
    version_ = rows.at(0).Number(0);
    return {};
  }

  Result<> End(const SlotBook::Claims& before, const SlotBook::Claims& after) {
    for (const auto& [ticket, lease] : before) {
      if (after.contains(ticket)) continue;
      TRY(NeedVersion());
      TRY(sql_.Run(kEndClaim, {lease.claim.build, lease.claim.platform, version_, ticket}));
    }
    return {};
  }

  Result<> Keep(Lease& lease, bool is_new) {
    TRY(NeedVersion());
    Claim& claim = lease.claim;
    if (is_new) {
      TRY_ASSIGN(SqlRows rows, sql_.Run("SELECT nextval('claim_tickets')"));
      claim.ticket = rows.at(0).Number(0);
      TRY(sql_.Run("UPDATE builds SET asked = 1, last_sign = $2 WHERE id = $1",
                   {claim.build, now_.count()}));
    }
    std::int64_t seconds = now_.count() / 1000;
    TRY(sql_.Run(
        kKeepClaim,
        {claim.build, claim.platform, claim.project, claim.ticket, claim.builder, claim.turn,
         static_cast<std::int64_t>(claim.grounds), std::int64_t{claim.passed},
         std::int64_t{lease.told}, std::int64_t{claim.since.count()}, seconds,
         claim.builder.empty() ? std::int64_t{0} : seconds, std::int64_t{now_.count()}, version_}));
    return {};
  }

  Sql& sql_;
  const Slots::Moment now_;
  std::int64_t version_ = 0;
};

std::int64_t Count(milliseconds time) {
  return time.count();
}

}  // namespace

Result<> ClaimsCopy::CatchUp(Sql& sql) {
  TRY_ASSIGN(SqlRows rows, sql.Run(kChanges, {version}));
  if (version == 0) claims.clear();
  now = milliseconds(rows.at(0).Number(0));
  std::erase_if(claims, [&](const auto& entry) { return WasReplaced(entry.second, rows); });
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
  TRY_ASSIGN(std::int64_t version, Difference(sql, copy.now).Write(copy.claims, after));
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
  std::vector<std::string> builds;
  std::vector<std::string> platforms;
  for (const auto& [build, platform] : signs) {
    builds.push_back(build);
    platforms.push_back(platform);
  }
  TRY(sql.Run(kSignBuilds, {ArrayOf(builds)}));
  TRY(sql.Run(kSignClaims, {ArrayOf(builds), ArrayOf(platforms)}));
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
