#include "driver/depot/project.h"

#include <filesystem>
#include <optional>

#include "driver/base/environment.h"
#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/base/yaml.h"
#include "driver/disk/lookup.h"
#include "driver/disk/whole_file.h"

namespace depot::api {
namespace {

/// In the order in which one directory is searched (depot/cli pkg/project/config.go).
constexpr const char* kNames[] = {"depot.json", "depot.yml", "depot.yaml"};
constexpr std::size_t kMaxProjectFile = std::size_t{16} << 20;

Result<ProjectChoice> ReadProjectFile(const std::string& file, const std::string& content) {
  const std::string shown = Printable(file);
  auto bad = [&](std::string_view why) {
    return Fail(Error(ErrorCode::kInvalid, Cat(shown, ": ", why))
                    .WithHint("a project file holds {\"id\": \"PROJECT\"}; `docker depot init` "
                              "writes one; --project goes before it"));
  };
  std::string id;
  if (Result<Yaml> yaml = ParseYaml(content)) {
    const Yaml* node = yaml->Find("id");
    if (node != nullptr && node->kind == Yaml::Kind::kText) id = node->text;
  } else if (Result<Json> json = Json::Parse(content)) {
    // JSON that is indented by tabs is no YAML.
    id = (*json)["id"].AsString();
  } else {
    return bad(Cat("neither JSON nor YAML: ", yaml.error().message()));
  }
  id = Trim(id);
  if (id.empty()) return bad("names no project: it has no id");
  return ProjectChoice{id, shown, {}};
}

/// The nearest project file in `directory` or above it; nullopt when there is none.
Result<std::optional<ProjectChoice>> SearchUpward(const std::string& directory) {
  std::error_code error;
  std::filesystem::path at =
      std::filesystem::absolute(directory.empty() ? "." : directory, error).lexically_normal();
  for (; !error; at = at.parent_path()) {
    for (const char* name : kNames) {
      const std::string file = at / name;
      // It may have come with the sources: a link in its place must not show another file.
      Result<std::string> content = disk::ReadBeneath(at.string(), name, kMaxProjectFile);
      if (!content) {
        if (content.error().code() == ErrorCode::kNotFound) continue;
        return Fail(Error(ErrorCode::kInvalid, content.error().message())
                        .WithHint("--project ID goes before project files"));
      }
      TRY_ASSIGN(ProjectChoice choice, ReadProjectFile(file, *content));
      return std::optional(std::move(choice));
    }
    if (at == at.parent_path()) break;
  }
  return std::optional<ProjectChoice>();
}

}  // namespace

Result<ProjectChoice> FindProject(const std::string& flag,
                                  const std::map<std::string, std::string>& environment,
                                  const std::vector<std::string>& directories) {
  if (!flag.empty()) return ProjectChoice{flag, "--project", {}};
  const std::string variable = TrimmedVariable(environment, "DEPOT_PROJECT_ID");
  if (!variable.empty()) return ProjectChoice{variable, "DEPOT_PROJECT_ID", {}};
  ProjectChoice choice;
  for (const std::string& directory : directories) {
    TRY_ASSIGN(auto found, SearchUpward(directory));
    if (!found) continue;
    if (!choice.id.empty() && choice.id != found->id) {
      found->warnings = std::move(choice.warnings);
      found->warnings.push_back(Cat(choice.source, " names the project ", Printable(choice.id),
                                    ", but ", found->source, " names ", Printable(found->id),
                                    ", which is used"));
    }
    choice = *std::move(found);
  }
  return choice;
}

Result<> WriteProjectFile(const std::string& directory, const std::string& id, bool replace) {
  const std::string folder = directory.empty() ? "." : directory;
  for (const char* name : kNames) {
    const std::string file = Cat(folder, '/', name);
    std::error_code ignored;
    if (replace || !std::filesystem::exists(std::filesystem::symlink_status(file, ignored))) {
      continue;
    }
    return Fail(
        Error(ErrorCode::kInvalid, Cat("there is a project file already: ", Printable(file)))
            .WithHint("--force replaces it"));
  }
  Json json;
  json.Set("id", Json::String(id));
  TRY(disk::CheckWithin(folder + "/depot.json"));
  return disk::WriteWholeFile(folder + "/depot.json", json.Dump() + "\n");
}

}  // namespace depot::api
