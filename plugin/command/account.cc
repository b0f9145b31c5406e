#include "plugin/command/account.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/depot/api_url.h"
#include "driver/depot/project.h"
#include "driver/depot/token.h"
#include "plugin/options/flag_values.h"

namespace depot::command {
namespace {

constexpr int kBuildsNamed = 5;

}  // namespace

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

std::optional<registry::Credential> CredentialFor(const api::PullInfo& info) {
  if (info.password.empty()) return std::nullopt;
  registry::Credential credential;
  credential.username = info.username;
  credential.password = info.password;
  credential.source = "the Depot API";
  return credential;
}

docker::HostCredentials HandedOut(const Reference& saved, const api::PullInfo& info) {
  std::optional<registry::Credential> credential = CredentialFor(info);
  if (!credential) return {};
  return {{saved.domain, *std::move(credential)}};
}

Result<std::unique_ptr<Account>> Account::Open(job::Workshop& workshop, EventSink& sink) {
  workshop.SayTo(&sink);
  std::unique_ptr<Account> account(new Account(workshop, sink));
  TRY_ASSIGN(account->api_, workshop.MakeApi(sink));
  TRY_ASSIGN(account->more_,
             api::MakeAccountApi(workshop.http(), api::ApiUrl(workshop.environment()),
                                 [&sink](std::string line) { sink.Say(std::move(line)); }));
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

Result<api::PullInfo> Account::SavedBuild(const api::Token& token,
                                          const std::string& build,
                                          const Cancel& cancel) {
  TRY_ASSIGN(api::PullInfo info, api_->GetPullInfo(token, build, cancel));
  if (info.saved) return info;
  return Fail(Error(ErrorCode::kNotFound,
                    Cat("the image of the build ", Printable(build), " was not saved"))
                  .WithHint("build with --save to keep it"));
}

Error Account::WhichBuild(std::string_view words,
                          const api::Token& token,
                          const std::string& project,
                          const Cancel& cancel) {
  Error error(ErrorCode::kUsage, Cat(words, " needs the ID of a build"));
  Result<std::string> known = Project(project, "");
  if (!known) return std::move(error).WithHint("the command list builds shows them");
  Result<api::BuildPage> page = api_->ListBuilds(token, *known, kBuildsNamed, "", cancel);
  if (!page) return std::move(page).error();
  std::vector<std::string> ids;
  for (const api::ListedBuild& build : page->builds)
    ids.push_back(Printable(build.id));
  if (ids.empty()) {
    return std::move(error).WithHint(Cat("the project ", Printable(*known), " has no build yet"));
  }
  return std::move(error).WithHint(
      Cat("the newest of the project ", Printable(*known), " are ", Join(ids, ", ")));
}

}  // namespace depot::command
