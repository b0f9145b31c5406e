#include <CLI/CLI.hpp>

#include "driver/base/encode.h"
#include "driver/base/random.h"
#include "driver/base/text.h"
#include "pool/commands.h"
#include "pool/identity/identity.h"
#include "pool/records/store.h"
#include "pool/service/journal.h"
#include "pool/settings/settings.h"
#include "pool/settings/timestamp.h"

namespace depot {

namespace {

struct Approval {
  std::string code, user;
  std::string expires = "90d";
};

Result<Output> Approve(const Invocation& invocation, const Approval& approval) {
  const std::string& user = approval.user;
  std::string code;
  for (char c : approval.code)
    code += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  TRY_ASSIGN(settings::Settings known, settings::ReadSettings(invocation.settings_file));
  if (known.FindUser(user) == nullptr) {
    return Fail(Error(ErrorCode::kNotFound, Cat("there is no user ", user))
                    .WithHint(Cat("add it to `users` in ", invocation.settings_file)));
  }
  TRY_ASSIGN(std::int64_t life, settings::ParseDuration(approval.expires));
  TRY_ASSIGN(auto store, records::OpenStore(known));
  std::int64_t now = service::WallClock();
  auto login = store.records->FindLogin(code, now);
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
  TRY(StoreToken(invocation, known, record));
  TRY(store.records->ApproveLogin(code, user));
  return Output{"", Cat("login ", code, " is approved: token ", record.id, " for user ", user,
                        ", expires ", settings::FormatTime(record.expires_at), '\n')};
}

}  // namespace

void AddLogin(CLI::App& program, Command& chosen) {
  CLI::App* login = program.add_subcommand("login", "people who wait in `docker depot login`");
  auto approval = std::make_shared<Approval>();
  CLI::App* approve = login->add_subcommand("approve", "let somebody in who waits for it");
  approve->add_option("CODE", approval->code, "what `docker depot login` shows")->required();
  approve->add_option("--user", approval->user, "who it is")->type_name("U")->required();
  approve->add_option("--expires", approval->expires, "when: 30d, 12h, 45m from now; default: 90d")
      ->type_name("AGE");
  approve->callback([&chosen, approval] {
    chosen = [approval](const Invocation& invocation) { return Approve(invocation, *approval); };
  });
}

}  // namespace depot
