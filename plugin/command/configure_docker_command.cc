#include "plugin/command/configure_docker_command.h"

#include <filesystem>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/command/command_line.h"
#include "plugin/command/docker_entrance.h"
#include "plugin/job/docker_setup.h"

namespace depot::command {
namespace {

struct ConfigureFlags {
  std::string as;
  bool uninstall = false;
  bool dry_run = false;
};

Result<std::string> EntranceName(const std::string& text) {
  if (text == "builder" || text == "buildx") return text;
  return Fail(ErrorCode::kUsage, Cat("--as ", Printable(text), ": builder and buildx are known"));
}

std::vector<flags::Flag> ConfigureTable(ConfigureFlags& flags) {
  constexpr flags::FlagKind kSwitch = flags::FlagKind::kSwitch;
  return {
      {"as", 0, flags::FlagKind::kText, "string",
       "\"builder\": the alias of config.json, for docker build (default); \"buildx\": the plugin "
       "docker-buildx, for docker build, docker buildx and compose",
       flags::Parsed(flags.as, EntranceName)},
      {"uninstall", 0, kSwitch, "", "Undo it: both, or what --as names",
       flags::Into(flags.uninstall)},
      {"dry-run", 0, kSwitch, "", "Only say what would be done", flags::Into(flags.dry_run)},
  };
}

Result<Lines> Uninstall(const std::string& as, const DockerFolder& folder) {
  Lines lines;
  if (as != "buildx") {
    TRY_ASSIGN(lines, RemoveAlias(folder));
  }
  if (as == "builder") return lines;
  TRY_ASSIGN(const Lines link, RemoveBuildxLink(folder));
  lines.insert(lines.end(), link.begin(), link.end());
  return lines;
}

}  // namespace

Result<> RunConfigureDocker(const Call& call) {
  ConfigureFlags flags;
  TRY_ASSIGN(bool runs,
             ReadCommandLine({.words = "configure-docker",
                              .description = "Make docker call this program for `docker build`",
                              .flags = ConfigureTable(flags)},
                             call));
  if (!runs) return {};
  std::error_code error;
  const std::string program = std::filesystem::read_symlink("/proc/self/exe", error).string();
  if (error) return Fail(SystemError("find out where this program lies", error.value()));
  const DockerFolder folder{job::DockerDirectory(call.globals, call.environment), program,
                            flags.dry_run};
  Result<Lines> lines = flags.uninstall        ? Uninstall(flags.as, folder)
                        : flags.as == "buildx" ? AddBuildxLink(folder)
                                               : AddAlias(folder);
  TRY(lines);
  return call.terminal.WriteResult(Cat(Join(*lines, "\n"), '\n'), call.cancel);
}

}  // namespace depot::command
