#include "plugin/command/account.h"

#include "driver/base/text.h"
#include "driver/depot/project.h"
#include "driver/depot/token.h"
#include "plugin/options/flag_values.h"

namespace depot::command {

flags::Flag TokenFlag(Secret& token) {
  return {"token", 0, flags::FlagKind::kText, "string", options::kTokenHelp, flags::Into(token)};
}

flags::Flag ProjectFlag(std::string& project) {
  return {"project",
          0,
          flags::FlagKind::kText,
          "string",
          "ID of the project (default $DEPOT_PROJECT_ID, or depot.json)",
          flags::Into(project)};
}

Result<std::unique_ptr<Account>> Account::Open(job::Workshop& workshop, EventSink& sink) {
  std::unique_ptr<Account> account(new Account(workshop, sink));
  TRY_ASSIGN(account->api_, workshop.MakeApi(sink));
  return account;
}

Result<api::Token> Account::Token(const Secret& said, const Cancel& cancel) {
  TRY_ASSIGN(auto token, api::FindToken(std::string(said.Reveal()), workshop_.environment(),
                                        workshop_.http(), cancel));
  if (token) return *std::move(token);
  return Fail(Error(ErrorCode::kDenied, "there is no Depot token")
                  .WithHint(api::HowToGiveAToken())
                  .At(FailedAt::kAuthentication));
}

Result<std::string> Account::Project(const std::string& said, const std::string& directory) {
  TRY_ASSIGN(api::ProjectChoice choice, api::FindProject(said, workshop_.environment(),
                                                         {directory.empty() ? "." : directory}));
  for (const std::string& warning : choice.warnings)
    sink_.Say(Cat("WARNING: ", warning));
  if (!choice.id.empty()) return choice.id;
  return Fail(Error(ErrorCode::kUsage, "no project is named")
                  .WithHint("give --project ID, set DEPOT_PROJECT_ID, or write a depot.json with "
                            "the command init"));
}

}  // namespace depot::command
