#include <algorithm>

#include "pool/commands.h"
#include "pool/identity/identity.h"
#include "pool/service/journal.h"
#include "pool/settings/settings.h"
#include "pool/settings/timestamp.h"

#include "driver/base/encode.h"
#include "driver/base/random.h"
#include "driver/base/text.h"

namespace depot {
namespace {

constexpr const char* kCreate = "depot-pool token create --project P|--user U [--expires 30d]";

std::string Ends(std::int64_t expires_at) {
  return expires_at == 0 ? "never expires" : Cat("expires ", settings::FormatTime(expires_at));
}

Result<Output> Create(const Invocation& invocation) {
  const Arguments& arguments = invocation.arguments;
  settings::TokenRecord record;
  record.project = arguments.Option("--project");
  record.user = arguments.Option("--user");
  if (arguments.words.size() != 1 || record.project.empty() == record.user.empty()) {
    return Fail(WrongUsage(kCreate));
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
  std::string expires = arguments.Option("--expires");
  if (!expires.empty()) {
    TRY_ASSIGN(std::int64_t life, ParseDuration(expires));
    record.expires_at = record.created_at + life;
  }
  TRY(settings::AddTokenRecord(invocation.settings_file, record));
  Output output;
  output.out = Cat(token.Reveal(), '\n');
  output.err =
      Cat("token ", record.id, " for ",
          record.user.empty() ? Cat("project ", record.project) : Cat("user ", record.user), ", ",
          Ends(record.expires_at), "; it is not shown again\n");
  return output;
}

Result<Output> List(const Invocation& invocation) {
  TRY_ASSIGN(settings::Settings known, settings::ReadSettings(invocation.settings_file));
  std::int64_t now = service::WallClock();
  Output output;
  for (const settings::TokenRecord& record : known.tokens) {
    bool expired = record.expires_at != 0 && record.expires_at <= now;
    output.out +=
        Cat(record.id, "  ",
            record.user.empty() ? Cat("project ", record.project) : Cat("user ", record.user),
            "  created ", settings::FormatTime(record.created_at), "  ", Ends(record.expires_at),
            record.revoked ? "  revoked" : "", expired ? "  expired" : "", '\n');
  }
  if (known.tokens.empty()) output.err = "there are no tokens; make one: depot-pool token create\n";
  return output;
}

}  // namespace

Result<Output> RunToken(const Invocation& invocation) {
  const std::vector<std::string>& words = invocation.arguments.words;
  std::string verb = words.empty() ? "" : words[0];
  if (verb == "create") return Create(invocation);
  if (verb == "list" && words.size() == 1) return List(invocation);
  if (verb == "revoke" && words.size() == 2) {
    TRY(settings::RevokeTokenRecord(invocation.settings_file, words[1]));
    return Output{"", Cat("token ", words[1], " is revoked\n")};
  }
  return Fail(WrongUsage(Cat(kCreate, ", depot-pool token list, depot-pool token revoke ID")));
}

}  // namespace depot
