#include "pool/commands.h"
#include "pool/identity/identity.h"
#include "pool/records/records.h"
#include "pool/settings/settings.h"
#include "pool/settings/timestamp.h"

#include "driver/base/encode.h"
#include "driver/base/random.h"
#include "driver/base/text.h"

namespace depot {

Result<Output> RunLogin(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  std::string user = arguments.Option("--user");
  if (arguments.words.size() != 2 || arguments.words[0] != "approve" || user.empty()) {
    return Fail(WrongUsage("depot-pool login approve CODE --user U [--expires 90d]"));
  }
  std::string code;
  for (char c : arguments.words[1])
    code += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  TRY_ASSIGN(settings::Settings known, settings::ReadSettings(invocation.settings_file));
  if (known.FindUser(user) == nullptr) {
    return Fail(Error(ErrorCode::kNotFound, Cat("there is no user ", user))
                    .WithHint(Cat("add it to `users` in ", invocation.settings_file)));
  }
  TRY_ASSIGN(std::int64_t life, ParseDuration(arguments.Option("--expires", "90d")));
  TRY_ASSIGN(auto records, records::OpenRecords(known.state));
  std::int64_t now = service::WallClock();
  auto login = records->FindLogin(code, now);
  if (!login) {
    return Fail(std::move(login).error().WithHint("logins are open for ten minutes: begin anew"));
  }
  if (!login->user.empty()) {
    return Fail(ErrorCode::kExists, Cat("login ", code, " has been approved, as ", login->user));
  }
  settings::TokenRecord record;
  record.id = Hex(RandomBytes(4));
  record.sha256 = login->token_hash;
  record.user = user;
  record.created_at = now;
  record.expires_at = now + life;
  TRY(settings::AddTokenRecord(invocation.settings_file, record));
  TRY(records->ApproveLogin(code, user));
  return Output{"", Cat("login ", code, " is approved: token ", record.id, " for user ", user,
                        ", expires ", settings::FormatTime(record.expires_at), '\n')};
}

}  // namespace depot
