#include "plugin/command/instance_commands.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/instance_store.h"
#include "driver/builder/instances.h"
#include "plugin/command/builder_choice.h"
#include "plugin/command/builder_view.h"
#include "plugin/command/command_line.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

/// Where instances are kept, and what for.
struct InstanceDesk {
  explicit InstanceDesk(const Call& call)
      : sink(call.terminal, call.cancel), workshop(call.environment, call.globals, call.version) {}

  Result<> Open(const Call& call) {
    TRY(workshop.ReadDocker());
    store.emplace(
        builder::BuildxFolder(call.environment, workshop.docker().credentials.config.directory));
    return {};
  }

  /// What builds will do instead, when a name means nothing because a remote builder is named.
  Result<> SayPointless(const std::string& what, const Call& call) {
    TRY_ASSIGN(choice::Choice remote, ChooseNamed("", workshop, call));
    sink.Say(Cat("WARNING: ", what, " has no effect: ", remote.line));
    return {};
  }

  LineSink sink;
  job::Workshop workshop;
  std::optional<builder::InstanceStore> store;
};

bool IsThere(const builder::InstanceStore& store, const std::string& name) {
  const std::vector<std::string> names = store.Names();
  return std::find(names.begin(), names.end(), LowerAscii(name)) != names.end();
}

Result<std::string> NeedName(const std::string& name,
                             const std::string& flag,
                             std::string_view command) {
  if (!name.empty()) return name;
  if (!flag.empty()) return flag;
  return Fail(ErrorCode::kUsage, Cat(command, " needs the name of a builder"));
}

/// A command of older docker buildx, `words`, that has become pointless.
Result<> SayPointless(std::string_view words, std::string_view description, const Call& call) {
  TRY_ASSIGN(bool runs, ReadCommandLine({.words = words, .description = description}, call));
  if (!runs) return {};
  LineSink sink(call.terminal, call.cancel);
  sink.Say(Cat("WARNING: ", words, " has no effect: docker build calls docker buildx by itself"));
  return {};
}

}  // namespace

Result<> RunUse(const Call& call) {
  std::string argument;
  std::string flag;
  bool global = false;
  bool as_default = false;
  constexpr flags::FlagKind kSwitch = flags::FlagKind::kSwitch;
  TRY_ASSIGN(
      bool runs,
      ReadCommandLine(
          {.words = "use",
           .description = "Choose the builder of builds without --builder",
           .flags = {{"default", 0, kSwitch, "",
                      "Also after the docker context was changed and back",
                      flags::Into(as_default)},
                     {"global", 0, kSwitch, "", "For all docker contexts", flags::Into(global)},
                     BuilderFlag(flag)},
           .argument = "NAME",
           .target = &argument},
          call));
  if (!runs) return {};
  TRY_ASSIGN(const std::string name, NeedName(argument, flag, "use"));
  InstanceDesk desk(call);
  TRY(desk.Open(call));
  const bool known = IsThere(*desk.store, name);
  if (NamesRemote(call)) {
    TRY(desk.SayPointless(Cat("use ", Printable(name)), call));
    if (!known) return {};
  }
  const auto& engine = desk.workshop.docker().engine;
  TRY(engine);
  if (!known && name != engine->context_name) {
    return Fail(Error(ErrorCode::kNotFound, Cat("no builder \"", Printable(name), "\" found"))
                    .WithHint("the command ls shows them; another docker context is chosen with "
                              "`docker context use`"));
  }
  return desk.store->Use(builder::EngineKey(*engine), known ? LowerAscii(name) : "", global,
                         as_default, call.cancel);
}

Result<> RunRm(const Call& call) {
  std::vector<std::string> names;
  std::string flag;
  bool ignored = false;
  bool inactive = false;
  constexpr flags::FlagKind kSwitch = flags::FlagKind::kSwitch;
  TRY_ASSIGN(
      bool runs,
      ReadCommandLine(
          {.words = "rm",
           .description = "Forget builders",
           .flags = {{"all-inactive", 0, kSwitch, "", "Not here: name the builders",
                      flags::Into(inactive)},
                     {"force", 'f', kSwitch, "", "Nothing is asked anyway", flags::Into(ignored)},
                     {"keep-daemon", 0, kSwitch, "", "Is kept anyway", flags::Into(ignored)},
                     {"keep-state", 0, kSwitch, "", "Is kept anyway", flags::Into(ignored)},
                     BuilderFlag(flag)},
           .argument = "[NAME...]",
           .targets = &names},
          call));
  if (!runs) return {};
  if (inactive) {
    return Fail(Error(ErrorCode::kUsage, "--all-inactive: nothing is removed by a guess here")
                    .WithHint("the command ls shows the builders; name those to remove"));
  }
  if (names.empty() && !flag.empty()) names.push_back(flag);
  if (names.empty()) return Fail(ErrorCode::kUsage, "rm needs the name of a builder");
  InstanceDesk desk(call);
  TRY(desk.Open(call));
  for (const std::string& name : names) {
    Result<Json> instance = desk.store->Read(name);
    if (!instance && instance.error().code() == ErrorCode::kNotFound && NamesRemote(call)) {
      TRY(desk.SayPointless(Cat("rm ", Printable(name)), call));
      continue;
    }
    if (!instance && instance.error().code() == ErrorCode::kNotFound) {
      return Fail(std::move(instance).error());
    }
    TRY(desk.store->Remove(name, call.cancel));
    desk.sink.Say(Cat(Printable(name), " removed"));
    const std::string driver = instance ? (*instance)["Driver"].AsString() : "";
    if (driver == "docker-container" || driver == "kubernetes") {
      desk.sink.Say("WARNING: what it ran in (buildx_buildkit_" + Printable(name) +
                    "...), if it was started, is left running");
    }
  }
  return {};
}

Result<> RunInstall(const Call& call) {
  return SayPointless("install", "Has no effect: docker build is buildx's own anyway", call);
}

Result<> RunUninstall(const Call& call) {
  return SayPointless("uninstall", "Has no effect, as install has none", call);
}

Result<> RunStop(const Call& call) {
  std::string argument;
  std::string flag;
  TRY_ASSIGN(bool runs, ReadCommandLine({.words = "stop",
                                         .description = "Stop a builder; no remote one is",
                                         .flags = {BuilderFlag(flag)},
                                         .argument = "[NAME]",
                                         .target = &argument},
                                        call));
  if (!runs) return {};
  InstanceDesk desk(call);
  TRY(desk.Open(call));
  TRY_ASSIGN(choice::Choice choice,
             ChooseLenient(argument.empty() ? flag : argument, desk.workshop, desk.sink, call));
  const std::string& endpoint = choice.sites.empty() ? std::string() : choice.sites.front().name;
  if (!endpoint.starts_with("docker-container://buildx_")) {
    desk.sink.Say("WARNING: stop has no effect: the builder is not run by docker buildx");
    return {};
  }
  const std::string container = endpoint.substr(std::string_view("docker-container://").size());
  return Fail(Error(ErrorCode::kUnsupported, "containers of builders are not stopped from here")
                  .WithHint(Cat("docker stop ", Printable(container))));
}

}  // namespace depot::command
