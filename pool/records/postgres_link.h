#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "pool/records/postgres_store.h"

struct pg_conn;

namespace depot::records {

/// One connection to a PostgreSQL. For one thread at a time.
class PostgresLink final : public Sql {
 public:
  /// Blocks: for each host of the URL, 2 s and what its name takes to be looked up.
  static Result<std::unique_ptr<PostgresLink>> Connect(const PostgresPlace& place);
  ~PostgresLink() override;
  PostgresLink(const PostgresLink&) = delete;
  PostgresLink& operator=(const PostgresLink&) = delete;

  /// Waits 2 s at most; then, and when the connection has ended, it is good for nothing any more.
  Result<SqlRows> Run(std::string_view sql, const SqlValues& values) override;

  /// Begins a transaction that the server ends by itself should nobody go on with it.
  Result<> Begin();

  bool is_good() const { return good_; }

 private:
  explicit PostgresLink(pg_conn* connection) : connection_(connection) {}

  Result<SqlRows> Answers(std::string_view doing);
  Error Lost(std::string_view why);

  pg_conn* connection_;
  bool good_ = true;
};

/// Whether the URL can be used; see OpenPostgresStore().
Result<> CheckPostgresUrl(const std::string& url);

}  // namespace depot::records
