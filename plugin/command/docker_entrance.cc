#include "plugin/command/docker_entrance.h"

#include <cerrno>
#include <climits>
#include <filesystem>
#include <optional>

#include <unistd.h>

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/disk/pending_file.h"
#include "driver/disk/read_file.h"
#include "driver/disk/rewrite_file.h"
#include "driver/disk/whole_file.h"
#include "driver/docker/config_edit.h"

namespace depot::command {
namespace {

constexpr std::string_view kAlias = "builder";
constexpr std::string_view kOurPlugin = "docker-depot";
constexpr std::string_view kBuildxPlugin = "docker-buildx";
/// Where docker looks beside the user's own folder (docker/cli cli-plugins/manager).
constexpr const char* kSystemFolders[] = {
    "/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins"};
/// Another program that writes to config.json at the same time is done by then.
constexpr int kMostAttempts = 20;

std::string Said(const DockerFolder& folder, std::string_view would, std::string_view done) {
  return std::string(folder.dry_run ? would : done);
}

std::string ConfigPath(const DockerFolder& folder) {
  return folder.path + "/config.json";
}

std::string PluginPath(const DockerFolder& folder, std::string_view name) {
  return Cat(folder.path, "/cli-plugins/", name);
}

Result<std::string> ReadConfigText(const std::string& path) {
  TRY_ASSIGN(const auto text, disk::ReadFileIfThere(path));
  return text.value_or("");
}

/// False: the file has changed since `old` was read.
Result<bool> WriteConfigText(const std::string& path, std::string_view old, std::string_view text) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  if (std::filesystem::exists(status)) return disk::RewriteFile(path, old, text);
  TRY(disk::WritePrivateFile(path, text));
  return true;
}

/// Sets the alias, or takes it away, unless it is another one's. Whether there was anything to do.
Result<bool> ChangeAlias(const DockerFolder& folder, const std::optional<std::string>& command) {
  const std::string path = ConfigPath(folder);
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    TRY_ASSIGN(const std::string old, ReadConfigText(path));
    auto alias = docker::AliasOf(old, kAlias);
    if (!alias) return Fail(std::move(alias).error().While(Printable(path)));
    if (*alias && **alias != "depot") {
      return Fail(
          Error(ErrorCode::kExists, Cat("the alias builder in ", Printable(path), " is \"",
                                        Printable(**alias), "\", which this program did not write"))
              .WithHint(**alias == "buildx" ? "`docker buildx uninstall` takes it away"
                                            : "take it out of the file by hand"));
    }
    if (*alias == command) return false;
    if (folder.dry_run) return true;
    TRY_ASSIGN(const std::string text, docker::WithAlias(old, kAlias, command));
    TRY_ASSIGN(const bool written, WriteConfigText(path, old, text));
    if (written) return true;
  }
  return Fail(Error(ErrorCode::kFailed, Cat("other programs keep on changing ", Printable(path)))
                  .WithHint("try again when they have ended"));
}

/// What a link says; nullopt when there is nothing of that name, "" when it is no link.
std::optional<std::string> TargetOf(const std::string& link) {
  char target[PATH_MAX];
  const ssize_t length = readlink(link.c_str(), target, sizeof target);
  if (length >= 0) return std::string(target, static_cast<std::size_t>(length));
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  return "";
}

/// A link to a file of our name is ours: install.sh tells them in the same way.
bool IsOurs(const std::string& target) {
  return target.substr(target.rfind('/') + 1).starts_with(kOurPlugin);
}

/// The name is there in one step, over an older link.
Result<> PlaceLink(const std::string& target, const std::string& link) {
  const std::string directory = link.substr(0, link.rfind('/') + 1);
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return Fail(SystemError(Cat("make ", Printable(directory)), error.value()));
  const std::string temporary = directory + disk::TemporaryName();
  if (symlink(target.c_str(), temporary.c_str()) != 0) {
    return Fail(SystemError(Cat("make a link in ", Printable(directory)), errno));
  }
  if (rename(temporary.c_str(), link.c_str()) == 0) return {};
  const int failed = errno;
  unlink(temporary.c_str());
  return Fail(SystemError(Cat("make ", Printable(link)), failed));
}

bool HasOurPlugin(const DockerFolder& folder) {
  std::error_code error;
  if (std::filesystem::exists(PluginPath(folder, kOurPlugin), error)) return true;
  for (const char* system : kSystemFolders)
    if (std::filesystem::exists(Cat(system, '/', kOurPlugin), error)) return true;
  auto config = ReadConfigText(ConfigPath(folder));
  auto json = config ? Json::Parse(*config) : Result<Json>(Json());
  if (!json) return false;
  const Json extra = (*json)["cliPluginsExtraDirs"];
  for (std::size_t i = 0; i < extra.size(); ++i) {
    if (std::filesystem::exists(Cat(extra[i].AsString(), '/', kOurPlugin), error)) return true;
  }
  return false;
}

}  // namespace

Result<Lines> AddAlias(const DockerFolder& folder) {
  TRY_ASSIGN(const bool changed, ChangeAlias(folder, "depot"));
  const std::string path = Printable(ConfigPath(folder));
  constexpr std::string_view kMeaning =
      "`docker build`, `docker image build` and `docker builder` call this program";
  Lines lines;
  lines.push_back(changed ? Cat(path, ": ",
                                Said(folder, "the alias would be written", "the alias is written"),
                                ": ", kMeaning)
                          : Cat(path, " has the alias already: ", kMeaning));
  if (HasOurPlugin(folder)) return lines;
  const std::string plugin = PluginPath(folder, kOurPlugin);
  if (!folder.dry_run) TRY(PlaceLink(folder.program, plugin));
  lines.push_back(Cat(Printable(plugin), Said(folder, " would be", " is"), " a link to ",
                      Printable(folder.program), ", where docker finds it"));
  return lines;
}

Result<Lines> RemoveAlias(const DockerFolder& folder) {
  TRY_ASSIGN(const bool changed, ChangeAlias(folder, std::nullopt));
  const std::string path = Printable(ConfigPath(folder));
  if (!changed) return Lines{Cat(path, " has no alias builder")};
  return Lines{Cat(path, ": ",
                   Said(folder, "the alias builder would go", "the alias builder is gone"),
                   ": docker builds by itself")};
}

Result<Lines> AddBuildxLink(const DockerFolder& folder) {
  const std::string link = PluginPath(folder, kBuildxPlugin);
  const std::optional<std::string> target = TargetOf(link);
  if (target && !IsOurs(*target)) {
    return Fail(Error(ErrorCode::kExists,
                      Cat(Printable(link), " is another program, which this one did not put there"))
                    .WithHint("move it away first: it can come back after --uninstall"));
  }
  const std::string meaning = Cat(" a link to ", Printable(folder.program),
                                  ": `docker build` and `docker buildx` call this program");
  if (target == folder.program) return Lines{Cat(Printable(link), " is already", meaning)};
  if (!folder.dry_run) TRY(PlaceLink(folder.program, link));
  return Lines{Cat(Printable(link), Said(folder, " would be", " is"), meaning)};
}

Result<Lines> RemoveBuildxLink(const DockerFolder& folder) {
  const std::string link = PluginPath(folder, kBuildxPlugin);
  const std::optional<std::string> target = TargetOf(link);
  if (!target) return Lines{Cat(Printable(link), " is not there")};
  if (!IsOurs(*target)) {
    return Lines{Cat(Printable(link), " is another program, and stays")};
  }
  if (!folder.dry_run && unlink(link.c_str()) != 0) {
    return Fail(SystemError(Cat("remove ", Printable(link)), errno));
  }
  return Lines{Cat(Printable(link), Said(folder, " would go", " is gone"),
                   ": docker finds the buildx of the machine, if there is one")};
}

}  // namespace depot::command
