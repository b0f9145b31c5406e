#include "plugin/command/list_projects_command.h"

#include "plugin/command/account.h"
#include "plugin/command/command_line.h"
#include "plugin/command/listing.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

Listing ProjectRows(const std::vector<api::Project>& projects) {
  Listing listing{{"Project ID", "Name", "Organization"}, {"id", "name", ""}, {}, {}};
  listing.numbers = {false, false, false};
  for (const api::Project& project : projects)
    listing.rows.push_back({project.id, project.name, project.organization});
  return listing;
}

}  // namespace

Result<> RunListProjects(const Call& call) {
  Secret token_flag;
  std::optional<ListFormat> format;
  TRY_ASSIGN(bool runs, ReadCommandLine({.words = "list projects",
                                         .description = "List the projects that the token opens",
                                         .flags = {FormatFlag(format), TokenFlag(token_flag)}},
                                        call));
  if (!runs) return {};
  TRY(call.terminal.CheckResult());
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY_ASSIGN(auto account, Account::Open(workshop, sink));
  TRY_ASSIGN(api::Token token, account->Token(token_flag, call.cancel));
  TRY_ASSIGN(auto projects, account->api().ListProjects(token, call.cancel));
  return WriteListing(ProjectRows(projects), format, call);
}

}  // namespace depot::command
