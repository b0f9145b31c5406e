#include "plugin/command/cache_reset_command.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/command/account.h"
#include "plugin/command/command_line.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {

Result<> RunCacheReset(const Call& call) {
  Secret token_flag;
  std::string project_flag;
  std::string directory;
  TRY_ASSIGN(bool runs,
             ReadCommandLine(
                 {.words = "cache reset",
                  .description = "Empty the build cache of a project: --project, or that of PATH",
                  .flags = {TokenFlag(token_flag), ProjectFlag(project_flag)},
                  .argument = "[PATH]",
                  .target = &directory},
                 call));
  if (!runs) return {};
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY_ASSIGN(auto account, Account::Open(workshop, sink));
  TRY_ASSIGN(std::string project, account->Project(project_flag, directory));
  TRY_ASSIGN(api::Token token, account->Token(token_flag, call.cancel));
  TRY_ASSIGN(std::string name, account->api().ResetCache(token, project, call.cancel));
  return call.terminal.WriteResult(
      Cat("Cache reset for ", name.empty() ? "" : Cat(Printable(name), ' '), '(',
          Printable(project), ").\n"),
      call.cancel);
}

}  // namespace depot::command
