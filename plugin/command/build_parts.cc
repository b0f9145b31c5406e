#include "plugin/command/build_parts.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/command/login_command.h"

namespace depot::command {
namespace {

/// A CI may give its jobs a terminal, but nobody sits at it.
bool SomebodyIsThere(const Call& call) {
  return call.terminal.output_is_terminal() && call.terminal.error_is_terminal() &&
         Variable(call.environment, "CI").empty();
}

}  // namespace

options::GlobalFlags GlobalsOf(const options::BuildOptions& options, const Call& call) {
  options::GlobalFlags globals = call.globals;
  globals.debug |= options.debug;
  if (!options.docker_config.empty()) globals.config = options.docker_config;
  return globals;
}

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

}  // namespace depot::command
