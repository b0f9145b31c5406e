#include <algorithm>
#include <chrono>

#include <CLI/CLI.hpp>

#include "driver/base/cancel.h"
#include "driver/base/encode.h"
#include "driver/base/random.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "pool/commands.h"
#include "pool/identity/identity.h"
#include "pool/records/store.h"
#include "pool/service/journal.h"
#include "pool/service/upkeep.h"
#include "pool/settings/settings.h"
#include "pool/settings/timestamp.h"

namespace depot {
namespace {

/// What a pool needs to read the tokens once more.
constexpr std::chrono::milliseconds kReading(1000);

struct NewToken {
  std::string project, user, expires;
};

std::string Ends(std::int64_t expires_at) {
  return expires_at == 0 ? "never expires" : Cat("expires ", settings::FormatTime(expires_at));
}

Result<Output> Create(const Invocation& invocation, const NewToken& wanted) {
  settings::TokenRecord record;
  record.project = wanted.project;
  record.user = wanted.user;
  if (record.project.empty() == record.user.empty()) {
    return Fail(Error(ErrorCode::kUsage, "a token is of a project or of a user")
                    .WithHint("say --project P, or --user U"));
  }
  TRY_ASSIGN(settings::Settings known, settings::ReadSettings(invocation.settings_file));
  if (!record.project.empty() && known.FindProject(record.project) == nullptr) {
    return Fail(Error(ErrorCode::kNotFound, Cat("there is no project ", record.project))
                    .WithHint(Cat("add it to `projects` in ", invocation.settings_file)));
  }
  if (!record.user.empty() && known.FindUser(record.user) == nullptr) {
    return Fail(Error(ErrorCode::kNotFound, Cat("there is no user ", record.user))
                    .WithHint(Cat("add it to `users` in ", invocation.settings_file)));
  }
  Secret token = identity::NewToken(record.user.empty() ? "depot_project" : "depot_user");
  record.id = Hex(RandomBytes(4));
  record.sha256 = identity::TokenHash(token);
  record.created_at = service::WallClock();
  if (!wanted.expires.empty()) {
    TRY_ASSIGN(std::int64_t life, settings::ParseDuration(wanted.expires));
    record.expires_at = record.created_at + life;
  }
  TRY(StoreToken(invocation, known, record));
  Output output;
  output.out = Cat(token.Reveal(), '\n');
  output.err =
      Cat("token ", record.id, " for ",
          record.user.empty() ? Cat("project ", record.project) : Cat("user ", record.user), ", ",
          Ends(record.expires_at), "; it is not shown again\n");
  return output;
}

/// Those of the file, and those of the database when there is one.
Result<std::vector<settings::TokenRecord>> AllTokens(const settings::Settings& known) {
  if (known.store.empty()) return known.tokens;
  TRY_ASSIGN(auto store, records::OpenStore(known));
  TRY_ASSIGN(auto stored, store.records->Tokens());
  return settings::JoinTokens(known.tokens, stored);
}

/// In the database, for all pools, also when the token is of the file.
Result<> RevokeShared(const settings::Settings& known, const std::string& id) {
  TRY_ASSIGN(auto tokens, AllTokens(known));
  auto found = std::find_if(tokens.begin(), tokens.end(),
                            [&](const settings::TokenRecord& token) { return token.id == id; });
  if (found == tokens.end()) {
    return Fail(Error(ErrorCode::kNotFound, Cat("there is no token ", Printable(id)))
                    .WithHint("see depot-pool token list"));
  }
  found->revoked = true;
  TRY_ASSIGN(auto store, records::OpenStore(known));
  return store.records->StoreToken(*found);
}

Result<Output> ListTokens(const Invocation& invocation) {
  TRY_ASSIGN(settings::Settings known, settings::ReadSettings(invocation.settings_file));
  TRY_ASSIGN(auto tokens, AllTokens(known));
  std::int64_t now = service::WallClock();
  Output output;
  for (const settings::TokenRecord& record : tokens) {
    bool expired = record.expires_at != 0 && record.expires_at <= now;
    output.out +=
        Cat(record.id, "  ",
            record.user.empty() ? Cat("project ", record.project) : Cat("user ", record.user),
            "  created ", settings::FormatTime(record.created_at), "  ", Ends(record.expires_at),
            record.revoked ? "  revoked" : "", expired ? "  expired" : "", '\n');
  }
  if (tokens.empty()) output.err = "there are no tokens; make one: depot-pool token create\n";
  return output;
}

Result<Output> Revoke(const Invocation& invocation, const std::string& id) {
  TRY_ASSIGN(settings::Settings known, settings::ReadSettings(invocation.settings_file));
  if (known.store.empty()) {
    TRY(settings::RevokeTokenRecord(invocation.settings_file, id));
  } else {
    TRY(RevokeShared(known, id));
  }
  return Output{"",
                Cat("token ", id, " is revoked: it opens nothing any more, and its builds end\n")};
}

}  // namespace

Result<> StoreToken(const Invocation& invocation,
                    const settings::Settings& known,
                    const settings::TokenRecord& token) {
  if (known.store.empty()) return settings::AddTokenRecord(invocation.settings_file, token);
  TRY_ASSIGN(auto store, records::OpenStore(known));
  TRY(store.records->StoreToken(token));
  Cancel::Never().SleepFor(service::Upkeep::kTick + kReading);
  return {};
}

void AddToken(CLI::App& program, Command& chosen) {
  CLI::App* token = program.add_subcommand("token", "who may build");
  auto wanted = std::make_shared<NewToken>();
  CLI::App* create =
      token->add_subcommand("create", "make a token of a project or a user; it is shown once");
  create->add_option("--project", wanted->project, "the token opens this project")->type_name("P");
  create->add_option("--user", wanted->user, "the token opens the projects of this user")
      ->type_name("U");
  create->add_option("--expires", wanted->expires, "when: 30d, 12h, 45m from now; default: never")
      ->type_name("AGE");
  create->callback([&chosen, wanted] {
    chosen = [wanted](const Invocation& invocation) { return Create(invocation, *wanted); };
  });
  token->add_subcommand("list", "all tokens: their ids, what they open, when they expire")
      ->callback([&chosen] { chosen = ListTokens; });
  auto id = std::make_shared<std::string>();
  CLI::App* revoke = token->add_subcommand("revoke", "end a token, its builds too");
  revoke->add_option("ID", *id, "as `token list` shows it")->required();
  revoke->callback([&chosen, id] {
    chosen = [id](const Invocation& invocation) { return Revoke(invocation, *id); };
  });
}

}  // namespace depot
