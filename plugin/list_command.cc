#include "plugin/list_command.h"

#include <algorithm>
#include <ctime>

#include "driver/base/text.h"
#include "plugin/depot_account.h"
#include "plugin/list_text.h"

namespace depot {
namespace {

constexpr int kBuildsShown = 100;

Listing ProjectRows(const std::vector<api::Project>& projects) {
  Listing listing{{"Project ID", "Name", "Organization"}, {"id", "name", ""}, {}, {}};
  listing.numbers = {false, false, false};
  for (const api::Project& project : projects)
    listing.rows.push_back({project.id, project.name, project.organization});
  return listing;
}

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

Result<> RunList(const options::Invocation& invocation,
                 const Environment& environment,
                 Terminal& terminal,
                 const Cancel& cancel) {
  TRY_ASSIGN(auto options, ReadAccountFlags(invocation, terminal, cancel));
  if (!options) return {};
  TRY(terminal.CheckResult());
  auto say = [&](const std::string& line) { terminal.WriteError(line + '\n', cancel); };
  TRY_ASSIGN(auto account, DepotAccount::Make(environment, say));
  bool lists_builds = invocation.command == options::Command::kListBuilds;
  std::string project;
  if (lists_builds) {
    TRY_ASSIGN(project, account->Project(*options));
  }
  TRY_ASSIGN(api::Token token, account->Token(*options, cancel));
  Listing listing;
  if (lists_builds) {
    TRY_ASSIGN(api::BuildPage page,
               account->api().ListBuilds(token, project, kBuildsShown, "", cancel));
    listing = BuildRows(page.builds);
    if (!page.next_page.empty()) {
      say(Cat("note: only the newest ", page.builds.size(), " builds are listed."));
    }
  } else {
    TRY_ASSIGN(auto projects, account->api().ListProjects(token, cancel));
    listing = ProjectRows(projects);
  }
  options::ListFormat otherwise =
      terminal.output_is_terminal() ? options::ListFormat::kTable : options::ListFormat::kCsv;
  return terminal.WriteResult(FormatListing(listing, options->format.value_or(otherwise)), cancel);
}

}  // namespace depot
