#include "pool/records/connect_failure.h"

#include "tests/unit/records/test_postgres.h"

namespace depot::records::connect_failure_test {
namespace {

/// What a real libpq comes to.
Error Refused(const std::string& url) {
  auto link = PostgresLink::Connect({url, Secret()});
  if (link) return {ErrorCode::kFailed, "it let us in"};
  return link.error();
}

TEST(ConnectFailure, IsExplainedByWhatARealServerSays) {
  const std::string url = TestPostgres::Get().place().url;
  const std::string socket = url.substr(url.find("?host="));
  const struct {
    std::string url, message, hint;
  } cases[] = {
      {Cat("postgresql://pool@/nothing", socket), "does not let the pool in",
       "make it, with a role"},
      {Cat("postgresql://nobody@/postgres", socket), "does not let the pool in",
       "make it, with a role"},
      {"postgresql://pool@/x?host=/nowhere", "cannot be reached", "folder of its socket"},
      {"postgresql://pool@127.0.0.1:1/x?sslmode=disable", "cannot be reached", "nothing listens"},
      {"postgresql://pool@nothing.invalid/x?sslmode=disable", "cannot be reached", "DNS"},
  };
  for (const auto& one : cases) {
    const Error error = Refused(one.url);
    EXPECT_NE(error.message().find(one.message), std::string::npos) << error.message();
    EXPECT_NE(error.hint().find(one.hint), std::string::npos) << error.message() << error.hint();
    EXPECT_EQ(error.code(), ErrorCode::kTimeout) << "it may pass";
  }
}

TEST(ConnectFailure, IsExplainedByWhatServersWithPasswordsAndTlsSay) {
  const std::string server = "connection to server at \"db\" (10.0.0.2), port 5432 failed: ";
  const auto hint = [&](const std::string& said, bool file = false) {
    return ConnectFailure(server + said, file).hint();
  };
  const std::string wrong = "FATAL:  password authentication failed for user \"pool\"";
  EXPECT_TRUE(hint(wrong, true).starts_with("the password of `store_password_file` is not"));
  EXPECT_TRUE(hint(wrong).starts_with("the password of PGPASSWORD or ~/.pgpass is not"));
  const std::pair<const char*, const char*> said[] = {
      {"fe_sendauth: no password supplied", "there is none"},
      {"FATAL:  no pg_hba.conf entry for host \"10.0.0.1\", user \"pool\", no encryption",
       "pg_hba.conf"},
      {"SSL error: certificate verify failed", "`sslrootcert`"},
      {"root certificate file \"/x.pem\" does not exist", "`sslrootcert`"},
      {"server certificate for \"a\" does not match host name \"db\"", "another name"},
      {"server does not support SSL, but SSL was required", "speaks no TLS"},
      {"timeout expired", "firewall"},
      {"FATAL:  Passwort-Authentifizierung fehlgeschlagen", "says where it is"},
  };
  for (const auto& [text, wanted] : said)
    EXPECT_NE(hint(text).find(wanted), std::string::npos) << text << ": " << hint(text);
}

}  // namespace
}  // namespace depot::records::connect_failure_test
