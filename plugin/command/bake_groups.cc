#include "plugin/command/bake_groups.h"

#include <filesystem>
#include <map>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/depot/project.h"
#include "plugin/bake/definition.h"
#include "plugin/command/build_parts.h"
#include "plugin/plan/git_url.h"

namespace depot::command {
namespace {

/// By the name of a target its project; "" = none.
using Projects = std::map<std::string, std::string>;

/// As the official CLI looks for depot.json: in the working directory, and beside the files.
std::vector<std::string> PlacesOf(const BakeOptions& options) {
  std::vector<std::string> places = {"."};
  for (const std::string& file : options.files) {
    if (file == "-" || plan::IsRemoteContext(file)) continue;
    const std::size_t prefix = file.starts_with(bake::kHere) ? bake::kHere.size() : 0;
    const std::filesystem::path folder = std::filesystem::path(file.substr(prefix)).parent_path();
    if (!folder.empty()) places.push_back(folder.string());
  }
  return places;
}

std::set<std::string> NamedProjects(const std::vector<BakeTarget>& targets) {
  std::set<std::string> named;
  for (const BakeTarget& target : targets)
    if (!target.options.project.empty()) named.insert(target.options.project);
  return named;
}

Result<> CheckProjects(const std::vector<BakeTarget>& targets,
                       const Projects& projects,
                       std::size_t builds,
                       const Environment& environment) {
  for (const auto& [name, project] : projects) {
    if (!project.empty()) continue;
    return Fail(Error(ErrorCode::kInvalid,
                      Cat("target ", name, " names no Depot project, and others name several"))
                    .WithHint("give it a project_id, or all that have none a project: --project, "
                              "DEPOT_PROJECT_ID or depot.json"));
  }
  for (const BakeTarget& target : targets) {
    for (const auto& [context, linked] : target.links) {
      const std::string& own = projects.at(target.name);
      const std::string& other = projects.at(linked);
      if (own == other) continue;
      return Fail(
          Error(ErrorCode::kInvalid, Cat("target ", target.name, " of project ", Printable(own),
                                         " has a context from target ", linked, " of project ",
                                         Printable(other), ", and projects share no builder"))
              .WithHint("give both the same project_id"));
    }
  }
  if (Variable(environment, "DEPOT_BUILD_ID").empty() || builds < 2) return {};
  return Fail(
      Error(ErrorCode::kInvalid,
            Cat("DEPOT_BUILD_ID names one build, and the targets are of ", builds, " projects"))
          .WithHint("unset it, or name the targets of one project"));
}

Result<choice::Choice> ChooseFor(const std::string& project,
                                 options::BuildOptions options,
                                 job::Workshop& workshop,
                                 const Call& call) {
  options.project = project;
  return ChooseBuilderOf(options, workshop, call);
}

/// All on the builders that the run has whatever the definition says.
Result<std::vector<BakeGroup>> OneGroup(const Projects& projects,
                                        const options::BuildOptions& options,
                                        job::Workshop& workshop,
                                        const Call& call) {
  std::vector<BakeGroup> groups(1);
  TRY_ASSIGN(groups[0].choice, ChooseBuilderOf(options, workshop, call));
  for (const auto& [name, project] : projects)
    groups[0].targets.insert(name);
  if (groups[0].choice.hosted) groups[0].project = groups[0].choice.hosted->project.id;
  return groups;
}

}  // namespace

Result<std::vector<BakeGroup>> ChooseGroups(const std::vector<BakeTarget>& targets,
                                            const BakeOptions& options,
                                            job::Workshop& workshop,
                                            const Call& call) {
  TRY_ASSIGN(const api::ProjectChoice fallback,
             api::FindProject(options.common.project, call.environment, PlacesOf(options)));
  const std::set<std::string> named = NamedProjects(targets);
  const std::string otherwise =
      fallback.id.empty() && named.size() == 1 ? *named.begin() : fallback.id;
  Projects projects;
  std::map<std::string, BakeGroup> groups;
  for (const BakeTarget& target : targets) {
    const std::string& own = target.options.project;
    const std::string& project = own.empty() ? otherwise : own;
    projects[target.name] = project;
    groups[project].targets.insert(target.name);
  }
  if (named.empty()) return OneGroup(projects, options.common, workshop, call);
  const std::string& known = *named.begin();
  TRY_ASSIGN(choice::Choice first, ChooseFor(known, options.common, workshop, call));
  if (!first.hosted) {
    TRY_ASSIGN(auto one, OneGroup(projects, options.common, workshop, call));
    one[0].choice.warnings.emplace_back(
        "project_id has no effect: it is for the Depot API, and another builder was named");
    return one;
  }
  TRY(CheckProjects(targets, projects, groups.size(), call.environment));
  groups.at(known).choice = std::move(first);
  std::vector<BakeGroup> all;
  for (auto& [project, group] : groups) {
    group.project = project;
    if (project != known) {
      TRY_ASSIGN(group.choice, ChooseFor(project, options.common, workshop, call));
    }
    all.push_back(std::move(group));
  }
  return all;
}

}  // namespace depot::command
