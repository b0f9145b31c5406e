#include "plugin/command/pull_token_command.h"

#include "driver/base/text.h"
#include "plugin/command/account.h"
#include "plugin/command/command_line.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {

Result<> RunPullToken(const Call& call) {
  Secret token_flag;
  std::string project;
  std::string build;
  TRY_ASSIGN(
      const bool runs,
      ReadCommandLine(
          {.words = "pull-token",
           .description = "Print a password for pulls of saved images: of a build, or of the "
                          "project",
           .flags = {TokenFlag(token_flag), ProjectFlag(project)},
           .argument = "[BUILD]",
           .target = &build},
          call));
  if (!runs) return {};
  TRY(call.terminal.CheckResult());
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY_ASSIGN(auto account, Account::Open(workshop, sink));
  if (build.empty()) {
    TRY_ASSIGN(project, account->Project(project, ""));
  }
  TRY_ASSIGN(const api::Token token, account->Token(token_flag, call.cancel));
  TRY_ASSIGN(const Secret password,
             account->api().GetPullToken(token, project, build, call.cancel));
  if (password.empty()) {
    return Fail(ErrorCode::kInvalid, "the Depot API's answer has no token for pulls");
  }
  return call.terminal.WriteResult(Cat(password.Reveal(), '\n'), call.cancel);
}

}  // namespace depot::command
