#include "plugin/depot_account.h"

#include "driver/base/text.h"
#include "driver/depot/project.h"
#include "driver/depot/token.h"
#include "plugin/http_client.h"

namespace depot {

Result<std::optional<options::AccountOptions>> ReadAccountFlags(
    const options::Invocation& invocation, Terminal& terminal, const Cancel& cancel) {
  TRY_ASSIGN(auto options, options::ParseAccountFlags(invocation.command, invocation.arguments,
                                                      invocation.program));
  if (!options) {
    TRY(terminal.WriteResult(options::AccountHelp(invocation.command, invocation.program), cancel));
  }
  return options;
}

DepotAccount::DepotAccount(const Environment& environment, std::function<void(std::string)> say)
    : environment_(environment),
      say_(std::move(say)),
      http_(std::make_unique<PatientClient>(MakeHttpClient(environment))) {}

Result<std::unique_ptr<DepotAccount>> DepotAccount::Make(const Environment& environment,
                                                         std::function<void(std::string)> say) {
  std::unique_ptr<DepotAccount> account(new DepotAccount(environment, std::move(say)));
  std::string url = Variable(environment, "DEPOT_API_URL");
  if (url.empty()) url = api::kDefaultApiUrl;
  TRY_ASSIGN(account->api_, api::MakeApi(*account->http_, url, account->say_));
  return account;
}

Result<api::Token> DepotAccount::Token(const options::AccountOptions& options,
                                       const Cancel& cancel) {
  TRY_ASSIGN(auto token,
             api::FindToken(std::string(options.token.Reveal()), environment_, *http_, cancel));
  if (token) return *std::move(token);
  return Fail(
      Error(ErrorCode::kDenied, "there is no Depot token").WithHint(api::HowToGiveAToken()));
}

Result<std::string> DepotAccount::Project(const options::AccountOptions& options) {
  std::string directory = options.directory.empty() ? "." : options.directory;
  TRY_ASSIGN(api::ProjectChoice choice,
             api::FindProject(options.project, environment_, {directory}));
  for (const std::string& warning : choice.warnings)
    say_(Cat("WARNING: ", warning));
  if (!choice.id.empty()) return choice.id;
  return Fail(Error(ErrorCode::kUsage, "no project is named")
                  .WithHint("give --project ID, set DEPOT_PROJECT_ID, or write a depot.json with "
                            "the command init"));
}

}  // namespace depot
