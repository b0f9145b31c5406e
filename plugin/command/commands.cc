#include <algorithm>
#include <utility>

#include "plugin/command/bake_command.h"
#include "plugin/command/build_command.h"
#include "plugin/command/cache_reset_command.h"
#include "plugin/command/command.h"
#include "plugin/command/completion_command.h"
#include "plugin/command/configure_docker_command.h"
#include "plugin/command/context_commands.h"
#include "plugin/command/doctor_command.h"
#include "plugin/command/du_command.h"
#include "plugin/command/help_command.h"
#include "plugin/command/history_commands.h"
#include "plugin/command/image_commands.h"
#include "plugin/command/imagetools_create_command.h"
#include "plugin/command/imagetools_inspect_command.h"
#include "plugin/command/init_command.h"
#include "plugin/command/inspect_command.h"
#include "plugin/command/instance_commands.h"
#include "plugin/command/list_builds_command.h"
#include "plugin/command/list_projects_command.h"
#include "plugin/command/login_command.h"
#include "plugin/command/logout_command.h"
#include "plugin/command/ls_command.h"
#include "plugin/command/project_commands.h"
#include "plugin/command/pull_command.h"
#include "plugin/command/pull_token_command.h"
#include "plugin/command/push_command.h"
#include "plugin/command/version_command.h"

namespace depot::command {
namespace {

constexpr Command kCommands[] = {
    {"build", "Build an image from a Dockerfile", RunBuild},
    {"bake", "Build the targets of a definition", RunBake},
    {"login", "Log in to Depot, by way of the browser", RunLogin},
    {"logout", "Remove the stored login", RunLogout},
    {"init", "Write depot.json, which names a folder's project", RunInit},
    {"list projects", "List the projects that the token opens", RunListProjects},
    {"list builds", "List the builds of a project", RunListBuilds},
    {"cache reset", "Empty the build cache of a project", RunCacheReset},
    {"pull", "Bring a saved build into the Docker Engine", RunPull},
    {"push", "Copy a saved build to another registry", RunPush},
    {"pull-token", "Print a password for pulls of saved images", RunPullToken},
    {"image list", "List the saved images", RunImageList},
    {"image rm", "Remove saved images", RunImageRm},
    {"projects create", "Make a project", RunProjectsCreate},
    {"projects get", "Show a project", RunProjectsGet},
    {"projects update", "Change a project", RunProjectsUpdate},
    {"projects delete", "Remove a project", RunProjectsDelete},
    {"ls", "List the builders", RunLs},
    {"inspect", "Show a builder and its machines", RunInspect},
    {"create", "Write down a builder", RunCreate},
    {"use", "Choose a builder", RunUse},
    {"rm", "Forget builders", RunRm},
    {"stop", "Stop a builder", RunStop},
    {"install", "Has no effect, for scripts that call it", RunInstall},
    {"uninstall", "Has no effect, as install has none", RunUninstall},
    {"du", "Show what the builder's cache has", RunDu},
    {"prune", "Empty the builder's cache", RunPrune},
    {"context ls", "List what of a build context is sent", RunContextLs},
    {"context why", "Say why files are sent, or are not", RunContextWhy},
    {"context top", "Show what is large in a build context", RunContextTop},
    {"history ls", "List the builder's records of builds", RunHistoryLs},
    {"history logs", "Show what a build has shown", RunHistoryLogs},
    {"history inspect", "Show what is known of a build", RunHistoryInspect},
    {"history rm", "Remove records of builds", RunHistoryRm},
    {"imagetools create", "Make an image of images in a registry", RunImagetoolsCreate},
    {"imagetools inspect", "Show what a registry has under a name", RunImagetoolsInspect},
    {"configure-docker", "Make docker call this program for docker build", RunConfigureDocker},
    {"doctor", "Check all that a build needs, and say what to do", RunDoctor},
    {"completion", "Print the completion script for a shell", RunCompletion},
    {"version", "Show version information", RunVersion},
    {"help", "Show this, or the help of a command", RunHelp},
};

}  // namespace

std::span<const Command> Commands() {
  return kCommands;
}

const Command* FindCommand(std::string_view words) {
  // Those of docker buildx, and of the Depot CLI.
  static constexpr std::pair<std::string_view, std::string_view> kOtherNames[] = {
      {"b", "build"},
      {"f", "bake"},
      {"projects list", "list projects"},
      {"projects ls", "list projects"},
      {"projects c", "projects create"},
      {"image ls", "image list"},
      {"image remove", "image rm"},
      {"image delete", "image rm"},
  };
  for (const auto& [other, name] : kOtherNames) {
    if (words == other) words = name;
  }
  for (const Command& command : kCommands) {
    if (command.words == words) return &command;
  }
  return nullptr;
}

std::vector<std::string_view> NextWords(std::string_view group) {
  std::vector<std::string_view> words;
  for (const Command& command : kCommands) {
    std::string_view word = command.words;
    if (!group.empty()) {
      if (!word.starts_with(group) || word.size() <= group.size() || word[group.size()] != ' ') {
        continue;
      }
      word.remove_prefix(group.size() + 1);
    }
    word = word.substr(0, word.find(' '));
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  }
  return words;
}

}  // namespace depot::command
