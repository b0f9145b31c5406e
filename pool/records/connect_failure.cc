#include "pool/records/connect_failure.h"

#include <string_view>

#include "driver/base/text.h"

namespace depot::records {
namespace {

/// What libpq or the server says (PostgreSQL's src/interfaces/libpq/fe-connect.c and
/// src/backend/libpq/auth.c), and what to do. A server may speak another language: what is not
/// found here has a hint that always holds.
struct Sign {
  std::string_view says, and_says;
  std::string_view hint;
};

constexpr std::string_view kMakeIt =
    "make it, with a role for the pool that owns it: docs/pool.md, \"Several pools\"";

constexpr Sign kSigns[] = {
    {"fe_sendauth: no password supplied", "",
     "the database wants a password, and there is none: `store_password_file`, PGPASSWORD or "
     "~/.pgpass gives it"},
    {"no pg_hba.conf entry", "",
     "pg_hba.conf of the database lets this role in from here neither with nor without TLS, or "
     "only the other way (`sslmode` of `store`)"},
    {"role \"", "does not exist", kMakeIt},
    {"database \"", "does not exist", kMakeIt},
    {"certificate verify failed", "",
     "`sslrootcert` of `store` has to name the authority that signed the database's certificate"},
    {"root certificate file", "does not exist",
     "`sslrootcert` of `store` has to name a file with the authority that signed the database's "
     "certificate"},
    {"does not match host name", "",
     "the database's certificate is for another name than that of `store`"},
    {"server does not support SSL", "",
     "the database speaks no TLS: switch it on there (`ssl = on`), or say ?sslmode=disable where "
     "nobody listens"},
    {"could not translate host name", "",
     "is the host name of `store` right? DNS does not know it"},
    {"Connection refused", "",
     "nothing listens there: does the database run, and are host and port of `store` right?"},
    {"No such file or directory", "Is the server running locally",
     "nothing listens there: does the database run, and is the folder of its socket right (`host` "
     "of `store`)?"},
    {"timeout expired", "",
     "nobody answers there: are host and port of `store` right, and does a firewall let this "
     "machine through?"},
};

std::string HintFor(std::string_view said, bool password_file) {
  if (said.find("password authentication failed") != std::string_view::npos) {
    return Cat("the password ",
               password_file ? "of `store_password_file`" : "of PGPASSWORD or ~/.pgpass",
               " is not that of the role in `store`, or there is no such role");
  }
  for (const Sign& sign : kSigns) {
    const std::size_t at = said.find(sign.says);
    if (at == std::string_view::npos) continue;
    if (said.find(sign.and_says, at + sign.says.size()) == std::string_view::npos) continue;
    return std::string(sign.hint);
  }
  return "`store` in the settings says where it is; a password comes from `store_password_file`, "
         "PGPASSWORD or ~/.pgpass";
}

}  // namespace

Error ConnectFailure(const std::string& said, bool password_file) {
  // The server itself says so: it was reached.
  const bool refused = said.find("FATAL:") != std::string::npos;
  return Error(ErrorCode::kTimeout, Cat(refused ? "the database does not let the pool in: "
                                                : "the database cannot be reached: ",
                                        said))
      .WithHint(HintFor(said, password_file));
}

}  // namespace depot::records
