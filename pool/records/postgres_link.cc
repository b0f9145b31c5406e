#include "pool/records/postgres_link.h"

#include <array>
#include <cerrno>
#include <chrono>

#include <libpq-fe.h>
#include <poll.h>

#include "driver/base/encode.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "pool/records/connect_failure.h"

namespace depot::records {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kDeadline(2000);
constexpr const char* kConnectSeconds = "2";

/// The type of bytea columns (PostgreSQL's catalog/pg_type.dat).
constexpr Oid kBytea = 17;

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Answered = std::unique_ptr<PGresult, ClearResult>;

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

struct FreeMemory {
  void operator()(void* memory) const { PQfreemem(memory); }
};

std::string OneLine(const char* text) {
  std::string line;
  for (std::string_view part : Split(text == nullptr ? "" : text, '\n')) {
    part = Trim(part);
    if (!part.empty()) line += Cat(line.empty() ? "" : "; ", part);
  }
  return Printable(line);
}

/// Whether an SQLSTATE (PostgreSQL, appendix A) says "not now": connections that end, a server that
/// starts or stops, too many clients, time limits, deadlocks, a server that is only a standby.
bool IsPassing(std::string_view state) {
  for (std::string_view passing : {"08", "40", "53300", "55P03", "57", "25006", "25P03"}) {
    if (state.starts_with(passing)) return true;
  }
  return false;
}

Error ExplainState(std::string_view state, const std::string& text) {
  std::string said = Cat("the database says: ", text);
  if (IsPassing(state)) return {ErrorCode::kTimeout, said};
  if (state.starts_with("53")) {
    return Error(ErrorCode::kUnavailable, said).WithHint("the database server needs room");
  }
  if (state.starts_with("28") || state == "42501" || state == "3D000") {
    return Error(ErrorCode::kDenied, said)
        .WithHint("the pool's role has to own its database: see docs/pool.md");
  }
  return {ErrorCode::kInternal, said};
}

/// How libpq takes a value: as text that ends in a NUL. Text that the database could not hold
/// becomes text that can be read.
std::string Written(const SqlValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return Cat(*number);
  if (const auto* bytes = std::get_if<SqlBytes>(&value)) return Cat("\\x", Hex(bytes->bytes));
  return Printable(std::get<std::string>(value));
}

std::string Read(const PGresult& result, int row, int column) {
  std::string text(PQgetvalue(&result, row, column),
                   static_cast<std::size_t>(PQgetlength(&result, row, column)));
  if (PQftype(&result, column) != kBytea) return text;
  std::size_t size = 0;
  std::unique_ptr<unsigned char, FreeMemory> bytes(
      PQunescapeBytea(reinterpret_cast<const unsigned char*>(text.c_str()), &size));
  if (bytes == nullptr) return "";
  return {reinterpret_cast<const char*>(bytes.get()), size};
}

void ReadRows(const PGresult& result, SqlRows& rows) {
  for (int row = 0; row < PQntuples(&result); ++row) {
    std::vector<std::string> columns;
    for (int column = 0; column < PQnfields(&result); ++column)
      columns.push_back(Read(result, row, column));
    rows.emplace_back(std::move(columns));
  }
}

}  // namespace

Result<> CheckPostgresUrl(const std::string& url) {
  char* said = nullptr;
  std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(url.c_str(), &said));
  std::unique_ptr<char, FreeMemory> freed(said);
  if (options == nullptr) {
    return Fail(ErrorCode::kInvalid, Cat("`store` is no URL of a database: ", OneLine(said)));
  }
  bool says_tls = false;
  bool is_local = false;
  for (PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    std::string_view keyword = option->keyword;
    std::string_view value = option->val == nullptr ? "" : option->val;
    if (keyword == "sslmode") says_tls = !value.empty();
    if (keyword == "host") is_local = value.starts_with('/');
    if (keyword == "password" && !value.empty()) {
      return Fail(Error(ErrorCode::kInvalid, "`store` has a password in it")
                      .WithHint("put it into a file that `store_password_file` names"));
    }
  }
  if (says_tls || is_local) return {};
  return Fail(
      Error(ErrorCode::kInvalid, "`store` does not say whether the database is reached over TLS")
          .WithHint("add ?sslmode=verify-full&sslrootcert=/path/to/ca.pem, or "
                    "?sslmode=disable where nobody listens"));
}

Result<std::unique_ptr<PostgresLink>> PostgresLink::Connect(const PostgresPlace& place) {
  std::string password(place.password.Reveal());
  // What is before `dbname`, the URL, is only what it does not say; what is after it holds.
  std::array<const char*, 7> names{"connect_timeout",
                                   "target_session_attrs",
                                   "dbname",
                                   "gssencmode",
                                   "client_encoding",
                                   nullptr,
                                   nullptr};
  std::array<const char*, 7> values{
      kConnectSeconds, "read-write", place.url.c_str(), "disable", "UTF8", nullptr, nullptr};
  if (!password.empty()) {
    names[5] = "password";
    values[5] = password.c_str();
  }
  PGconn* connection = PQconnectdbParams(names.data(), values.data(), 1);
  if (connection == nullptr || PQstatus(connection) != CONNECTION_OK ||
      PQsetnonblocking(connection, 1) != 0) {
    Error error =
        ConnectFailure(OneLine(connection == nullptr ? "no memory" : PQerrorMessage(connection)),
                       !password.empty());
    PQfinish(connection);
    return Fail(std::move(error));
  }
  // It would write to standard error.
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  return std::unique_ptr<PostgresLink>(new PostgresLink(connection));
}

PostgresLink::~PostgresLink() {
  PQfinish(connection_);
}

Result<> PostgresLink::Begin() {
  // Only for this transaction: a pooler may give the connection to somebody else then.
  constexpr const char* kBegin =
      "BEGIN; SET LOCAL statement_timeout = 2000;"
      " SET LOCAL idle_in_transaction_session_timeout = 5000";
  if (PQsendQuery(connection_, kBegin) != 1) return Fail(Lost(PQerrorMessage(connection_)));
  TRY(Answers("BEGIN"));
  return {};
}

Result<SqlRows> PostgresLink::Run(std::string_view sql, const SqlValues& values) {
  std::vector<std::string> written;
  for (const SqlValue& value : values)
    written.push_back(Written(value));
  std::vector<const char*> pointers;
  for (const std::string& text : written)
    pointers.push_back(text.c_str());
  std::string statement(sql);
  if (PQsendQueryParams(connection_, statement.c_str(), static_cast<int>(pointers.size()), nullptr,
                        pointers.data(), nullptr, nullptr, 0) != 1) {
    return Fail(Lost(PQerrorMessage(connection_)));
  }
  return Answers(sql);
}

Result<SqlRows> PostgresLink::Answers(std::string_view doing) {
  SqlRows rows;
  std::optional<Error> error;
  const Clock::time_point end = Clock::now() + kDeadline;
  while (true) {
    while (PQflush(connection_) == 1 || PQisBusy(connection_) == 1) {
      auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
      pollfd socket{PQsocket(connection_), POLLIN, 0};
      if (PQflush(connection_) == 1) socket.events |= POLLOUT;
      int ready = left.count() <= 0 ? 0 : ::poll(&socket, 1, static_cast<int>(left.count()));
      if (ready == 0) return Fail(Lost("no answer within 2 s"));
      if (ready > 0 && PQconsumeInput(connection_) != 1) {
        return Fail(Lost(PQerrorMessage(connection_)));
      }
    }
    Answered result(PQgetResult(connection_));
    if (result == nullptr) break;
    ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_TUPLES_OK) {
      ReadRows(*result, rows);
    } else if (status != PGRES_COMMAND_OK && !error) {
      const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
      error = ExplainState(state == nullptr ? "08000" : state,
                           OneLine(PQresultErrorField(result.get(), PG_DIAG_MESSAGE_PRIMARY)));
    }
  }
  if (PQstatus(connection_) != CONNECTION_OK) return Fail(Lost(PQerrorMessage(connection_)));
  if (error) return Fail(std::move(*error).While(doing.substr(0, doing.find(' '))));
  return rows;
}

Error PostgresLink::Lost(std::string_view why) {
  good_ = false;
  return {ErrorCode::kTimeout,
          Cat("the database does not answer: ", OneLine(std::string(why).c_str()))};
}

}  // namespace depot::records
