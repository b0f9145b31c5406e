#include "plugin/command/logout_command.h"

#include "driver/base/text.h"
#include "driver/depot/token.h"
#include "plugin/command/command_line.h"
#include "plugin/command/login_command.h"

namespace depot::command {

Result<> RunLogout(const Call& call) {
  TRY_ASSIGN(
      bool runs,
      ReadCommandLine(
          {.words = "logout", .description = "Remove the stored login from this machine"}, call));
  if (!runs) return {};
  std::string file = api::LoginFile(call.environment);
  TRY_ASSIGN(bool removed, api::RemoveLogin(file));
  TRY(call.terminal.WriteResult(removed ? Cat("Logged out. The token is gone from ", file, ".\n")
                                        : "You were not logged in.\n",
                                call.cancel));
  SayWhatCountsMore(call.environment, call.terminal, call.cancel);
  return {};
}

}  // namespace depot::command
