#include "plugin/command/builder_choice.h"

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/depot/project.h"
#include "driver/depot/token.h"
#include "plugin/command/builder_view.h"

namespace depot::command {

flags::Flag BuilderFlag(std::string& builder) {
  return {"builder",
          0,
          flags::FlagKind::kText,
          "string",
          "Builder to use (default $DEPOT_BUILDER)",
          flags::Into(builder)};
}

bool NamesRemote(const Call& call) {
  if (!Variable(call.environment, "DEPOT_BUILDER").empty()) return true;
  if (!api::TokenSetting("", call.environment).empty()) return true;
  Result<api::ProjectChoice> project = api::FindProject("", call.environment, {"."});
  return project && !project->id.empty();
}

Result<choice::Choice> ChooseLenient(const std::string& name,
                                     job::Workshop& workshop,
                                     EventSink& sink,
                                     const Call& call) {
  Result<choice::Choice> named = ChooseNamed(name, workshop, call);
  const bool unknown = !named && !name.empty() && named.error().code() == ErrorCode::kNotFound;
  if (!unknown || !NamesRemote(call)) return named;
  TRY_ASSIGN(choice::Choice remote, ChooseNamed("", workshop, call));
  sink.Say(Cat("WARNING: there is no builder ", Printable(name), " here: ", remote.line));
  return remote;
}

Result<std::vector<LeasedBuilder>> LeaseBuilders(const std::string& name,
                                                 job::Workshop& workshop,
                                                 EventSink& sink,
                                                 const Call& call) {
  TRY_ASSIGN(choice::Choice choice, ChooseLenient(name, workshop, sink, call));
  std::vector<LeasedBuilder> leased;
  if (choice.hosted) return leased;
  for (const choice::Site& site : choice.sites) {
    TRY_ASSIGN(auto builder, site.driver->Acquire(std::nullopt, sink, call.cancel));
    leased.push_back({site.name, site.buildx.builder, site.buildx.node, std::move(builder)});
  }
  return leased;
}

}  // namespace depot::command
