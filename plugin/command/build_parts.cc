#include "plugin/command/build_parts.h"

#include <filesystem>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/command/login_command.h"
#include "plugin/deliver/call_answer.h"
#include "plugin/plan/git_url.h"

namespace depot::command {
namespace {

/// A CI may give its jobs a terminal, but nobody sits at it.
bool SomebodyIsThere(const Call& call) {
  return call.terminal.output_is_terminal() && call.terminal.error_is_terminal() &&
         Variable(call.environment, "CI").empty();
}

/// The Dockerfile as the user would name it; "" when it is no file of this machine.
std::string NameOfDockerfile(const options::BuildOptions& options) {
  if (options.context == "-" || options.file == "-" || plan::IsRemoteContext(options.context)) {
    return "";
  }
  if (!options.file.empty()) return options.file;
  return (std::filesystem::path(options.context) / "Dockerfile").lexically_normal().string();
}

}  // namespace

Result<choice::Choice> ChooseBuilderOf(const options::BuildOptions& options,
                                       job::Workshop& workshop,
                                       const Call& call) {
  const job::DockerSetup& docker = workshop.docker();
  choice::ChoiceFacts facts{
      options, call.environment, docker.engine, docker.credentials.config.directory, {}};
  if (SomebodyIsThere(call)) {
    facts.log_in = [&] { return LogIn(workshop, call.terminal, call.cancel); };
  }
  TRY_ASSIGN(choice::Choice choice, choice::ChooseBuilder(facts, workshop.http(), call.cancel));
  const std::string load = TrimmedVariable(call.environment, "DEPOT_LOAD");
  choice.default_load |= call.is_docker_build || ParseBool(load).value_or(false);
  return choice;
}

std::string TitleOf(const choice::Choice& choice) {
  if (choice.hosted) return Cat("Depot project ", Printable(choice.hosted->project.id));
  std::vector<std::string> names;
  for (const choice::Site& site : choice.sites)
    names.push_back(site.name);
  return Join(names, ", ");
}

Result<> ShowCallAnswer(const options::BuildOptions& options,
                        const std::map<std::string, std::string>& metadata,
                        Terminal& terminal) {
  TRY_ASSIGN(deliver::CallAnswer answer,
             deliver::ShowAnswer(options.call, metadata, NameOfDockerfile(options)));
  if (!answer.text.empty()) TRY(terminal.WriteResult(answer.text, Cancel::Never()));
  if (answer.failure) return Fail(*std::move(answer.failure));
  return {};
}

}  // namespace depot::command
