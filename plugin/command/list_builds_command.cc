#include "plugin/command/list_builds_command.h"

#include <algorithm>
#include <ctime>

#include "driver/base/text.h"
#include "plugin/command/account.h"
#include "plugin/command/command_line.h"
#include "plugin/command/listing.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

constexpr int kBuildsShown = 100;

/// A build that still runs lasts until now.
Listing BuildRows(const std::vector<api::ListedBuild>& builds) {
  Listing listing{{"Build ID", "Status", "Started", "Duration (s)"},
                  {"id", "status", "startTime", "duration"},
                  {false, false, false, true},
                  {}};
  std::int64_t now = std::time(nullptr);
  for (const api::ListedBuild& build : builds) {
    std::int64_t end = build.finished_at == 0 ? now : build.finished_at;
    std::int64_t duration =
        build.created_at == 0 ? 0 : std::max<std::int64_t>(end - build.created_at, 0);
    listing.rows.push_back({build.id, build.status.empty() ? "unknown" : build.status,
                            FormatTime(build.created_at), Cat(duration)});
  }
  return listing;
}

}  // namespace

Result<> RunListBuilds(const Call& call) {
  Secret token_flag;
  std::string project_flag;
  std::optional<ListFormat> format;
  TRY_ASSIGN(bool runs, ReadCommandLine({.words = "list builds",
                                         .description = "List the newest builds of a project",
                                         .flags = {FormatFlag(format), TokenFlag(token_flag),
                                                   ProjectFlag(project_flag)}},
                                        call));
  if (!runs) return {};
  TRY(call.terminal.CheckResult());
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY_ASSIGN(auto account, Account::Open(workshop, sink));
  TRY_ASSIGN(std::string project, account->Project(project_flag, ""));
  TRY_ASSIGN(api::Token token, account->Token(token_flag, call.cancel));
  TRY_ASSIGN(api::BuildPage page,
             account->api().ListBuilds(token, project, kBuildsShown, "", call.cancel));
  if (!page.next_page.empty()) {
    sink.Say(Cat("note: only the newest ", page.builds.size(), " builds are listed."));
  }
  return WriteListing(BuildRows(page.builds), format, call);
}

}  // namespace depot::command
