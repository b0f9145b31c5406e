#include "plugin/command/ls_command.h"

#include <algorithm>

#include "driver/base/shown.h"
#include "driver/base/tab_columns.h"
#include "driver/base/text.h"
#include "driver/builder/instance_store.h"
#include "driver/builder/instances.h"
#include "plugin/command/builder_view.h"
#include "plugin/command/command_line.h"
#include "plugin/command/go_template.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

constexpr std::size_t kPlatformsShown = 4;
/// Go's zero time.
constexpr std::string_view kNever = "0001-01-01T00:00:00Z";

struct ListedBuilder {
  BuilderView view;
  bool current = false;
};

BuilderView Unusable(const std::string& name, const Error& error) {
  BuilderView view;
  view.name = name;
  view.error = error.message();
  return view;
}

std::string TableRows(const std::vector<ListedBuilder>& builders, bool whole) {
  std::string text = "NAME/NODE\tDRIVER/ENDPOINT\tSTATUS\tBUILDKIT\tPLATFORMS\n";
  for (const ListedBuilder& one : builders) {
    text += Cat(Printable(one.view.name), one.current ? "*\t" : "\t", one.view.driver, '\t',
                one.view.error.empty() ? "" : "error", "\t\t\n");
    for (const NodeView& node : one.view.nodes) {
      text += Cat(" \\_ ", Printable(node.name), "\t \\_ ", Printable(node.endpoint), '\t',
                  node.status, '\t', Printable(node.facts.version), '\t',
                  PlatformsText(node.facts.platforms, whole ? 0 : kPlatformsShown), '\n');
    }
  }
  return AlignTabs(text, kTableColumns);
}

/// BuildKit client/graph.go, as Go writes it.
Json RuleJson(const builder::CollectionRule& rule) {
  Json json = Json::Object();
  Json filters = Json::Array();
  for (const std::string& filter : rule.filters)
    filters.Append(Json::String(filter));
  json.Set("All", Json::Bool(rule.all));
  json.Set("Filter", rule.filters.empty() ? Json() : std::move(filters));
  json.Set("KeepDuration", Json::Number(rule.keep_ns));
  json.Set("ReservedSpace", Json::Number(rule.reserved_bytes));
  json.Set("MaxUsedSpace", Json::Number(rule.most_bytes));
  json.Set("MinFreeSpace", Json::Number(rule.free_bytes));
  return json;
}

Json NodeJson(const NodeView& node) {
  Json json = Json::Object();
  json.Set("Name", Json::String(node.name));
  json.Set("Endpoint", Json::String(node.endpoint));
  json.Set("Status", Json::String(node.status));
  if (!node.facts.version.empty()) json.Set("Version", Json::String(node.facts.version));
  auto set_list = [&json](std::string_view key, Json list) {
    if (list.size() > 0) json.Set(key, std::move(list));
  };
  Json platforms = Json::Array();
  for (const Platform& platform : node.facts.platforms)
    platforms.Append(Json::String(FormatPlatform(platform)));
  set_list("Platforms", std::move(platforms));
  Json ids = Json::Array();
  for (const std::string& id : node.facts.ids)
    ids.Append(Json::String(id));
  set_list("IDs", std::move(ids));
  Json labels = Json::Object();
  for (const auto& [key, value] : node.facts.labels)
    labels.Set(key, Json::String(value));
  set_list("Labels", std::move(labels));
  Json rules = Json::Array();
  for (const builder::CollectionRule& rule : node.facts.rules)
    rules.Append(RuleJson(rule));
  set_list("GCPolicy", std::move(rules));
  for (std::string_view key : {"DriverOpts", "Flags", "Files"})
    set_list(key, node.written[key]);
  return json;
}

Json BuilderJson(const ListedBuilder& one) {
  Json nodes = Json::Array();
  for (const NodeView& node : one.view.nodes)
    nodes.Append(NodeJson(node));
  Json json = Json::Object();
  json.Set("Name", Json::String(one.view.name));
  json.Set("Driver", Json::String(one.view.driver));
  json.Set("Nodes", std::move(nodes));
  json.Set("Current", Json::Bool(one.current));
  json.Set("Dynamic", Json::Bool(false));
  const std::string& last = one.view.last_activity;
  json.Set("LastActivity", Json::String(last.empty() ? kNever : std::string_view(last)));
  if (!one.view.error.empty()) json.Set("Err", Json::String(one.view.error));
  return json;
}

/// A row of a template: a builder, or one of its nodes.
Json RowJson(const ListedBuilder& one, const NodeView* node) {
  const bool of_node = node != nullptr;
  Json row = BuilderJson(one);
  row.Set("Name", Json::String(of_node ? node->name : one.view.name));
  row.Set("DriverEndpoint", Json::String(of_node ? node->endpoint : one.view.driver));
  row.Set("Status", Json::String(of_node ? node->status : one.view.error.empty() ? "" : "error"));
  row.Set("Buildkit", Json::String(of_node ? node->facts.version : ""));
  row.Set("Platforms", Json::String(of_node ? PlatformsText(node->facts.platforms, 0) : ""));
  row.Set("LastActivity", Json::String(one.view.last_activity));
  row.Set("Error", Json::String(one.view.error));
  return row;
}

Result<std::string> FilledIn(const std::vector<ListedBuilder>& builders,
                             const std::string& format) {
  std::string text;
  if (format == "json") {
    for (const ListedBuilder& one : builders)
      text += BuilderJson(one).Dump() + '\n';
    return text;
  }
  TRY_ASSIGN(GoTemplate filled, GoTemplate::Parse(format));
  auto dump = [](const Json& json) { return json.Dump(); };
  for (const ListedBuilder& one : builders) {
    if (format == "{{json .}}") {
      text += BuilderJson(one).Dump() + '\n';
      continue;
    }
    TRY_ASSIGN(std::string line, filled.Run(RowJson(one, nullptr), dump));
    text += Cat(line, '\n');
    for (const NodeView& node : one.view.nodes) {
      TRY_ASSIGN(line, filled.Run(RowJson(one, &node), dump));
      text += Cat(line, '\n');
    }
  }
  return text;
}

/// All names that a builder can be asked for; "" = what a build has without one.
std::vector<std::string> NamesToList(const job::Workshop& workshop, const Call& call) {
  const job::DockerSetup& docker = workshop.docker();
  std::vector<std::string> names =
      builder::InstanceStore(
          builder::BuildxFolder(call.environment, docker.credentials.config.directory))
          .Names();
  if (docker.engine) names.push_back(docker.engine->context_name);
  return names;
}

/// A builder before it is asked.
struct NamedChoice {
  std::string name;  ///< "" = as a build has it that names none
  Result<choice::Choice> choice;
};

std::vector<NamedChoice> ChooseAll(job::Workshop& workshop, EventSink& sink, const Call& call) {
  std::vector<NamedChoice> all;
  Result<choice::Choice> chosen = ChooseNamed("", workshop, call);
  std::string current;
  if (chosen) {
    if (!chosen->hosted) current = chosen->sites.front().buildx.builder;
    all.push_back({"", std::move(chosen)});
  } else {
    sink.Say(Cat("no builder is chosen: ", chosen.error().message()));
  }
  for (const std::string& name : NamesToList(workshop, call)) {
    if (name != current) all.push_back({name, ChooseNamed(name, workshop, call)});
  }
  return all;
}

std::vector<ListedBuilder> ListBuilders(job::Workshop& workshop,
                                        EventSink& sink,
                                        const Call& call) {
  const std::vector<NamedChoice> all = ChooseAll(workshop, sink, call);
  std::vector<const choice::Choice*> usable;
  for (const NamedChoice& one : all)
    if (one.choice) usable.push_back(&*one.choice);
  std::vector<BuilderView> views =
      LookAtBuilders(usable, Look::kQuick, workshop, sink, call.cancel);
  std::vector<ListedBuilder> builders;
  auto next = views.begin();
  for (const NamedChoice& one : all) {
    BuilderView view = one.choice ? std::move(*next++) : Unusable(one.name, one.choice.error());
    if (!one.name.empty()) view.name = one.name;
    if (!view.error.empty()) {
      sink.Say(Cat("Cannot load builder ", Printable(one.name), ": ", view.error));
    }
    builders.push_back({std::move(view), one.name.empty()});
  }
  return builders;
}

}  // namespace

Result<> RunLs(const Call& call) {
  std::string format = "table";
  bool whole = false;
  TRY_ASSIGN(bool runs,
             ReadCommandLine({.words = "ls",
                              .description = "List the builders",
                              .flags = {{"format", 0, flags::FlagKind::kText, "string",
                                         "\"table\", \"json\" or a Go template (default \"table\")",
                                         flags::Into(format)},
                                        {"no-trunc", 0, flags::FlagKind::kSwitch, "",
                                         "Show all platforms", flags::Into(whole)}}},
                             call));
  if (!runs) return {};
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY(workshop.ReadDocker());
  const std::vector<ListedBuilder> builders = ListBuilders(workshop, sink, call);
  TRY(call.cancel.Check());
  if (format == "table") return call.terminal.WriteResult(TableRows(builders, whole), call.cancel);
  TRY_ASSIGN(std::string text, FilledIn(builders, format));
  return call.terminal.WriteResult(text, call.cancel);
}

}  // namespace depot::command
