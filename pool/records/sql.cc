#include "pool/records/sql.h"

#include <charconv>

namespace depot::records {
namespace {

// One string with several statements would only run its first.
constexpr std::string_view kSharedTables[] = {
    R"(CREATE TABLE logins (code TEXT PRIMARY KEY, token_hash TEXT NOT NULL,
       expires_at BIGINT NOT NULL, "user" TEXT NOT NULL, id_hash TEXT NOT NULL,
       network TEXT NOT NULL))",
    R"(CREATE TABLE IF NOT EXISTS cache_resets (project TEXT PRIMARY KEY, runner TEXT NOT NULL,
       seen_at BIGINT NOT NULL, ended_at BIGINT NOT NULL, code BIGINT NOT NULL,
       failure TEXT NOT NULL, hint TEXT NOT NULL))",
    R"(CREATE TABLE IF NOT EXISTS tokens (id TEXT PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE,
       project TEXT NOT NULL, "user" TEXT NOT NULL, created_at BIGINT NOT NULL,
       expires_at BIGINT NOT NULL, revoked BIGINT NOT NULL))",
    "CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
};

}  // namespace

std::int64_t SqlRow::Number(std::size_t column) const {
  const std::string& text = columns_.at(column);
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Result<> MakeSharedTables(Sql& sql, const std::string& secret) {
  for (std::string_view table : kSharedTables)
    TRY(sql.Run(table));
  TRY(sql.Run("INSERT INTO secrets (name, value) VALUES ('logins', $1) ON CONFLICT DO NOTHING",
              {secret}));
  return {};
}

}  // namespace depot::records
