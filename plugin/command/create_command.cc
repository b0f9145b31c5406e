#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/builder/instance_store.h"
#include "driver/builder/instances.h"
#include "plugin/command/builder_choice.h"
#include "plugin/command/builder_view.h"
#include "plugin/command/command_line.h"
#include "plugin/command/instance_commands.h"
#include "plugin/options/flag_values.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

struct NewInstance {
  std::string name;
  std::string node;
  std::string driver;
  std::string endpoint;
  std::vector<std::string> driver_options;
  std::vector<Platform> platforms;
  std::string daemon_config;
  std::string daemon_flags;
  bool append = false;
  bool leave = false;
  bool use = false;
  bool bootstrap = false;
};

CommandLine LineOf(NewInstance& wanted) {
  constexpr flags::FlagKind kText = flags::FlagKind::kText;
  constexpr flags::FlagKind kSwitch = flags::FlagKind::kSwitch;
  auto add_platforms = [&wanted](const std::string& value) -> Result<> {
    TRY_ASSIGN(auto platforms, options::ParsePlatforms(value));
    wanted.platforms.insert(wanted.platforms.end(), platforms.begin(), platforms.end());
    return {};
  };
  return {
      .words = "create",
      .description = "Write down a builder, as docker buildx does",
      .flags = {{"append", 0, kSwitch, "", "Add a machine to the builder",
                 flags::Into(wanted.append)},
                {"bootstrap", 0, kSwitch, "", "Fail when it does not answer",
                 flags::Into(wanted.bootstrap)},
                {"buildkitd-config", 0, kText, "string",
                 "Of a daemon that is not started from here", flags::Into(wanted.daemon_config)},
                {"buildkitd-flags", 0, kText, "string", "Of a daemon that is not started from here",
                 flags::Into(wanted.daemon_flags)},
                {"config", 0, kText, "string", "", flags::Into(wanted.daemon_config)},
                {"driver", 0, kText, "string", "\"remote\"; others are not started from here",
                 flags::Into(wanted.driver)},
                {"driver-opt", 0, kText, "list", "cacert, cert, key, servername, default-load",
                 flags::Added(wanted.driver_options)},
                {"leave", 0, kSwitch, "", "Take the machine --node out of the builder",
                 flags::Into(wanted.leave)},
                {"name", 0, kText, "string", "Name of the builder", flags::Into(wanted.name)},
                {"node", 0, kText, "string", "Name of the machine", flags::Into(wanted.node)},
                {"platform", 0, kText, "list", "What the machine builds", add_platforms},
                {"use", 0, kSwitch, "", "Choose it, as the command use does",
                 flags::Into(wanted.use)}},
      .argument = "[ENDPOINT]",
      .target = &wanted.endpoint};
}

Json PlatformsJson(const std::vector<Platform>& platforms) {
  if (platforms.empty()) return {};
  Json list = Json::Array();
  for (const Platform& one : platforms) {
    Json platform = Json::Object();
    platform.Set("architecture", Json::String(one.architecture));
    platform.Set("os", Json::String(one.os));
    if (!one.variant.empty()) platform.Set("variant", Json::String(one.variant));
    list.Append(std::move(platform));
  }
  return list;
}

Result<Json> OptionsJson(const std::vector<std::string>& options) {
  Json json = Json::Object();
  for (const std::string& list : options) {
    for (std::string_view option : Split(list, ',')) {
      const std::size_t equals = option.find('=');
      if (equals == std::string_view::npos) {
        return Fail(ErrorCode::kUsage,
                    Cat("--driver-opt: \"", Printable(option), "\" is not KEY=VALUE"));
      }
      json.Set(Trim(option.substr(0, equals)), Json::String(option.substr(equals + 1)));
    }
  }
  return json;
}

/// The instance with the machine added, or taken away.
class InstanceDraft {
 public:
  InstanceDraft(Json known, const NewInstance& wanted)
      : known_(std::move(known)), wanted_(wanted) {}

  Result<Json> Draw() {
    const Json nodes = known_["Nodes"];
    Json kept = Json::Array();
    std::vector<std::string> names;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const std::string name = nodes[i]["Name"].AsString();
      const bool goes = name == wanted_.node || (!wanted_.append && !wanted_.leave);
      if (goes) continue;
      names.push_back(name);
      kept.Append(nodes[i]);
    }
    if (!wanted_.leave) {
      TRY_ASSIGN(Json node, Node(names));
      kept.Append(std::move(node));
    } else if (kept.size() == nodes.size() || kept.size() == 0) {
      return Fail(ErrorCode::kUsage, kept.size() == 0
                                         ? "--leave: the last machine stays; use the command rm"
                                         : "--leave: --node names no machine of the builder");
    }
    Json instance = known_.is_object() ? known_ : Json::Object();
    instance.Set("Name", Json::String(wanted_.name));
    if (!wanted_.leave) instance.Set("Driver", Json::String("remote"));
    instance.Set("Nodes", std::move(kept));
    instance.Set("Dynamic", Json::Bool(false));
    return instance;
  }

 private:
  Result<Json> Node(const std::vector<std::string>& taken) const {
    std::string name = wanted_.node;
    for (int i = 0; name.empty(); ++i) {
      std::string free = Cat(LowerAscii(wanted_.name), i);
      if (std::find(taken.begin(), taken.end(), free) == taken.end()) name = std::move(free);
    }
    TRY_ASSIGN(Json options, OptionsJson(wanted_.driver_options));
    Json node = Json::Object();
    node.Set("Name", Json::String(name));
    node.Set("Endpoint", Json::String(wanted_.endpoint));
    node.Set("Platforms", PlatformsJson(wanted_.platforms));
    node.Set("DriverOpts", std::move(options));
    node.Set("Flags", Json());
    node.Set("Files", Json());
    return node;
  }

  const Json known_;
  const NewInstance& wanted_;
};

std::string NewName(const builder::InstanceStore& store) {
  const std::vector<std::string> names = store.Names();
  for (int i = 1;; ++i) {
    std::string name = Cat("builder", i);
    if (std::find(names.begin(), names.end(), name) == names.end()) return name;
  }
}

Result<> CheckWanted(NewInstance& wanted, const Json& known) {
  if (!builder::IsInstanceName(wanted.name)) {
    return Fail(ErrorCode::kUsage, Cat("--name: \"", Printable(wanted.name),
                                       "\" is no name: a letter, then letters, digits and . - _"));
  }
  if (known.is_object() && !wanted.append && !wanted.leave) {
    return Fail(
        Error(ErrorCode::kExists, Cat("there is a builder ", Printable(wanted.name), " already"))
            .WithHint("--append adds a machine to it; the command rm removes it"));
  }
  if (!known.is_object() && wanted.leave) {
    return Fail(ErrorCode::kNotFound, Cat("no builder \"", Printable(wanted.name), "\" found"));
  }
  if (!wanted.daemon_config.empty() || !wanted.daemon_flags.empty()) {
    return Fail(ErrorCode::kUsage,
                "--buildkitd-config and --buildkitd-flags are for a daemon that "
                "is started here, and a remote one runs already");
  }
  if (wanted.leave || !wanted.endpoint.empty()) return {};
  return Fail(Error(ErrorCode::kUsage, "the driver remote needs the address of a builder")
                  .WithHint("usage: create --driver remote [OPTIONS] tcp://HOST:PORT"));
}

/// Drivers that start BuildKit in a container.
Result<> CreateNothing(const NewInstance& wanted,
                       job::Workshop& workshop,
                       EventSink& sink,
                       const Call& call) {
  if (!NamesRemote(call)) {
    return Fail(Error(ErrorCode::kUnsupported, "create starts no BuildKit in a container")
                    .WithHint("name a builder (DEPOT_BUILDER, or a token), create one with "
                              "`--driver remote tcp://HOST:PORT`, or build on the Docker Engine, "
                              "which needs no create"));
  }
  TRY_ASSIGN(choice::Choice remote, ChooseNamed("", workshop, call));
  sink.Say(Cat("WARNING: create has no effect: ", remote.line));
  return call.terminal.WriteResult(Cat(wanted.name.empty() ? "depot" : wanted.name, '\n'),
                                   call.cancel);
}

Result<> Bootstrap(const std::string& name,
                   job::Workshop& workshop,
                   EventSink& sink,
                   const Call& call) {
  TRY_ASSIGN(choice::Choice choice, ChooseNamed(name, workshop, call));
  for (const choice::Site& site : choice.sites)
    TRY(site.driver->Acquire(std::nullopt, sink, call.cancel));
  return {};
}

}  // namespace

Result<> RunCreate(const Call& call) {
  NewInstance wanted;
  TRY_ASSIGN(bool runs, ReadCommandLine(LineOf(wanted), call));
  if (!runs) return {};
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY(workshop.ReadDocker());
  const job::DockerSetup& docker = workshop.docker();
  builder::InstanceStore store(
      builder::BuildxFolder(call.environment, docker.credentials.config.directory));
  if (wanted.driver.empty() && wanted.endpoint.starts_with("tcp://")) wanted.driver = "remote";
  Json known;
  if (!wanted.name.empty()) {
    Result<Json> read = store.Read(wanted.name);
    if (!read && read.error().code() != ErrorCode::kNotFound) return Fail(std::move(read).error());
    if (read) known = *std::move(read);
  }
  if (wanted.driver.empty()) wanted.driver = known["Driver"].AsString("docker-container");
  if (wanted.driver != "remote") return CreateNothing(wanted, workshop, sink, call);
  if (wanted.name.empty()) wanted.name = NewName(store);
  TRY(CheckWanted(wanted, known));
  for (std::string& line : options::UnknownPlatforms("--platform", wanted.platforms))
    sink.Say(std::move(line));
  TRY_ASSIGN(Json instance, InstanceDraft(known, wanted).Draw());
  if (docker.engine) {
    // What could never be used is not written.
    TRY(builder::ParseInstance(
        instance.Dump(), {call.environment, docker.credentials.config.directory, *docker.engine},
        call.cancel));
  }
  TRY(store.Write(wanted.name, instance, call.cancel));
  if (wanted.use) {
    TRY(docker.engine);
    TRY(store.Use(builder::EngineKey(*docker.engine), LowerAscii(wanted.name), false, false,
                  call.cancel));
    if (NamesRemote(call)) {
      TRY_ASSIGN(choice::Choice remote, ChooseNamed("", workshop, call));
      sink.Say(Cat("WARNING: --use has no effect now: ", remote.line));
    }
  }
  if (wanted.bootstrap) TRY(Bootstrap(wanted.name, workshop, sink, call));
  return call.terminal.WriteResult(Cat(wanted.name, '\n'), call.cancel);
}

}  // namespace depot::command
