#include "pool/records/account_records.h"

#include <algorithm>
#include <map>

#include "driver/base/text.h"

namespace depot::records {
namespace {

constexpr std::size_t kMostLogins = 1000;
constexpr std::size_t kMostLoginsOfNetwork = 10;

/// A reset whose runner is silent for longer has none any more, in seconds.
constexpr std::int64_t kResetSilence = 15;

/// An outcome that nobody has asked for within this time is of a client that went away.
constexpr std::int64_t kOutcomeKept = 30;

constexpr std::string_view kSelectLogins =
    "SELECT code, token_hash, expires_at, \"user\", id_hash, network FROM logins ";

constexpr std::string_view kRemoveLogin = "DELETE FROM logins WHERE code = $1";

LoginRecord ReadLogin(const SqlRow& row) {
  return {row.Text(0), row.Text(1), row.Number(2), row.Text(3), row.Text(4), row.Text(5)};
}

settings::TokenRecord ReadToken(const SqlRow& row) {
  settings::TokenRecord token;
  token.id = row.Text(0);
  token.sha256 = row.Text(1);
  token.project = row.Text(2);
  token.user = row.Text(3);
  token.created_at = row.Number(4);
  token.expires_at = row.Number(5);
  token.revoked = row.Number(6) != 0;
  return token;
}

/// What a login has to go for, so that there is room for one of `network`; "" = there is room.
Result<std::string> WhoseLoginGoes(const std::vector<LoginRecord>& open,
                                   const std::string& network) {
  std::map<std::string, std::size_t> counts;
  for (const LoginRecord& login : open)
    ++counts[login.network];
  if (counts[network] >= kMostLoginsOfNetwork) {
    return Fail(Error(ErrorCode::kUnavailable, "too many logins wait for their approval")
                    .WithHint("try again in ten minutes"));
  }
  if (open.size() < kMostLogins) return "";
  auto goes = std::max_element(open.begin(), open.end(), [&](auto& one, auto& other) {
    std::size_t mine = counts[one.network];
    std::size_t its = counts[other.network];
    return mine != its ? mine < its : one.expires_at > other.expires_at;
  });
  return goes->code;
}

ResetNews Outcome(const SqlRow& reset) {
  ResetNews news{ResetNews::Kind::kEnded, std::nullopt};
  if (!reset.Text(4).empty()) {
    news.failure = Error(static_cast<ErrorCode>(reset.Number(3)), reset.Text(4));
    if (!reset.Text(5).empty()) news.failure = std::move(*news.failure).WithHint(reset.Text(5));
  }
  return news;
}

/// Begins a reset unless one is under way, as `rows` have it.
Result<bool> BeginReset(Sql& sql,
                        const SqlRows& rows,
                        const std::string& project,
                        const std::string& runner,
                        std::int64_t now) {
  const std::int64_t seen = rows.empty() ? -1 : rows[0].Number(1);
  const bool runs = !rows.empty() && rows[0].Number(2) == 0 && now - seen <= kResetSilence;
  if (runs && rows[0].Text(0) != runner) return false;
  // Of two that begin at the same moment the second one changes nothing.
  TRY_ASSIGN(SqlRows begun,
             sql.Run("INSERT INTO cache_resets (project, runner, seen_at, ended_at, code,"
                     " failure, hint) VALUES ($1, $2, $3, 0, 0, '', '')"
                     " ON CONFLICT (project) DO UPDATE SET runner = $2, seen_at = $3,"
                     " ended_at = 0 WHERE cache_resets.seen_at = $4 RETURNING 1",
                     {project, runner, now, seen}));
  return !begun.empty();
}

}  // namespace

Result<> AccountRecords::StoreLogin(const LoginRecord& login, std::int64_t now) {
  return store_.Change([&](Sql& sql) -> Result<> {
    TRY(sql.Run("DELETE FROM logins WHERE expires_at < $1", {now}));
    TRY_ASSIGN(SqlRows rows, sql.Run(kSelectLogins));
    TRY_ASSIGN(std::string goes, WhoseLoginGoes(ReadEach(rows, ReadLogin), login.network));
    TRY(sql.Run(kRemoveLogin, {goes}));
    TRY(
        sql.Run("INSERT INTO logins (code, token_hash, expires_at, \"user\", id_hash, network)"
                " VALUES ($1, $2, $3, $4, $5, $6)",
                {login.code, login.token_hash, login.expires_at, login.user, login.id_hash,
                 login.network}));
    return {};
  });
}

Result<LoginRecord> AccountRecords::FindLogin(const std::string& code, std::int64_t now) {
  return FindOneLogin("code", code, now);
}

Result<LoginRecord> AccountRecords::FindLoginById(const std::string& id_hash, std::int64_t now) {
  return FindOneLogin("id_hash", id_hash, now);
}

Result<> AccountRecords::ApproveLogin(const std::string& code, const std::string& user) {
  return Do("UPDATE logins SET \"user\" = $1 WHERE code = $2", {user, code});
}

Result<> AccountRecords::RemoveLogin(const std::string& code) {
  return Do(kRemoveLogin, {code});
}

Result<Secret> AccountRecords::LoginSecret() {
  TRY_ASSIGN(SqlRows rows, store_.Read("SELECT value FROM secrets WHERE name = 'logins'"));
  if (rows.empty()) return Fail(ErrorCode::kInvalid, "the records have lost their secret");
  return Secret(rows[0].Text(0));
}

Result<ResetNews> AccountRecords::AskReset(const std::string& project,
                                           const std::string& runner,
                                           std::int64_t now) {
  ResetNews news;
  Result<> asked = store_.Change([&](Sql& sql) -> Result<> {
    TRY_ASSIGN(SqlRows rows, sql.Run("SELECT runner, seen_at, ended_at, code, failure, hint"
                                     " FROM cache_resets WHERE project = $1",
                                     {project}));
    if (!rows.empty() && rows[0].Number(2) != 0 && now - rows[0].Number(2) < kOutcomeKept) {
      news = Outcome(rows[0]);
      TRY(sql.Run("DELETE FROM cache_resets WHERE project = $1", {project}));
      return {};
    }
    TRY_ASSIGN(bool begun, BeginReset(sql, rows, project, runner, now));
    if (!begun) news.kind = ResetNews::Kind::kUnderWay;
    return {};
  });
  if (!asked) return Fail(std::move(asked).error());
  return news;
}

Result<> AccountRecords::ReportReset(const std::string& project,
                                     const std::string& runner,
                                     const std::optional<Result<>>& ended,
                                     std::int64_t now) {
  if (!ended) {
    return Do("UPDATE cache_resets SET seen_at = $3 WHERE project = $1 AND runner = $2",
              {project, runner, now});
  }
  const Error none(ErrorCode::kFailed, "");
  const Error& error = *ended ? none : ended->error();
  return Do(
      "UPDATE cache_resets SET seen_at = $3, ended_at = $3, code = $4, failure = $5, hint = $6"
      " WHERE project = $1 AND runner = $2",
      {project, runner, now, static_cast<std::int64_t>(error.code()), error.message(),
       error.hint()});
}

Result<std::vector<settings::TokenRecord>> AccountRecords::Tokens() {
  TRY_ASSIGN(SqlRows rows,
             store_.Read("SELECT id, sha256, project, \"user\", created_at, expires_at, revoked"
                         " FROM tokens ORDER BY created_at, id"));
  return ReadEach(rows, ReadToken);
}

Result<> AccountRecords::StoreToken(const settings::TokenRecord& token) {
  return Do(
      "INSERT INTO tokens (id, sha256, project, \"user\", created_at, expires_at, revoked)"
      " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET"
      " sha256 = excluded.sha256, project = excluded.project, \"user\" = excluded.\"user\","
      " created_at = excluded.created_at, expires_at = excluded.expires_at,"
      " revoked = excluded.revoked",
      {token.id, token.sha256, token.project, token.user, token.created_at, token.expires_at,
       std::int64_t{token.revoked}});
}

Result<> AccountRecords::Do(std::string_view sql, const SqlValues& values) {
  return store_.Change([&](Sql& session) -> Result<> {
    TRY(session.Run(sql, values));
    return {};
  });
}

Result<LoginRecord> AccountRecords::FindOneLogin(std::string_view column,
                                                 const std::string& value,
                                                 std::int64_t now) {
  TRY_ASSIGN(SqlRows rows,
             store_.Read(Cat(kSelectLogins, "WHERE ", column, " = $1 AND expires_at >= $2"),
                         {value, now}));
  if (rows.empty()) return Fail(ErrorCode::kNotFound, "there is no open login with this code");
  return ReadLogin(rows[0]);
}

}  // namespace depot::records
