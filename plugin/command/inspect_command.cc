#include "plugin/command/inspect_command.h"

#include "driver/base/shown.h"
#include "driver/base/tab_columns.h"
#include "driver/base/text.h"
#include "plugin/command/builder_choice.h"
#include "plugin/command/builder_view.h"
#include "plugin/command/command_line.h"
#include "plugin/command/figures_text.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

std::string RuleText(const builder::CollectionRule& rule, std::size_t number) {
  std::string text =
      Cat("GC Policy rule#", number, ":\n\tAll:\t", rule.all ? "true" : "false", '\n');
  if (!rule.filters.empty()) text += Cat("\tFilters:\t", Printable(Join(rule.filters, " ")), '\n');
  if (rule.keep_ns > 0) text += Cat("\tKeep Duration:\t", GoDuration(rule.keep_ns), '\n');
  for (const auto& [heading, bytes] : {std::pair{"Reserved Space", rule.reserved_bytes},
                                       {"Max Used Space", rule.most_bytes},
                                       {"Min Free Space", rule.free_bytes}}) {
    if (bytes > 0) text += Cat('\t', heading, ":\t", BinarySize(bytes), '\n');
  }
  return text;
}

std::string NodeText(const NodeView& node) {
  const builder::WorkerFacts& facts = node.facts;
  std::string text =
      Cat("Name:\t", Printable(node.name), "\nEndpoint:\t", Printable(node.endpoint), '\n');
  const Json options = node.written["DriverOpts"];
  std::vector<std::string> said;
  for (const std::string& key : options.Keys())
    said.push_back(Cat(Printable(key), "=\"", Printable(options[key].AsString()), '"'));
  if (!said.empty()) text += Cat("Driver Options:\t", Join(said, " "), '\n');
  text += Cat("Status:\t", node.status, '\n');
  if (!facts.version.empty()) text += Cat("BuildKit version:\t", Printable(facts.version), '\n');
  if (!facts.platforms.empty())
    text += Cat("Platforms:\t", PlatformsText(facts.platforms, 0), '\n');
  if (!facts.labels.empty()) text += "Labels:\n";
  for (const auto& [key, value] : facts.labels)
    text += Cat('\t', Printable(key), ":\t", Printable(value), '\n');
  for (std::size_t i = 0; i < facts.rules.size(); ++i)
    text += RuleText(facts.rules[i], i);
  return text;
}

std::string ViewText(const BuilderView& view) {
  std::string text = Cat("Name:\t", Printable(view.name), "\nDriver:\t", view.driver, '\n');
  if (!view.last_activity.empty()) {
    std::string when = view.last_activity;
    const std::size_t t = when.find('T');
    if (t != std::string::npos && when.ends_with('Z')) when.replace(t, 1, " ").pop_back();
    text += Cat("Last Activity:\t", when, " +0000 UTC\n");
  }
  text += "\nNodes:\n";
  for (const NodeView& node : view.nodes) {
    if (&node != &view.nodes.front()) text += '\n';
    text += NodeText(node);
  }
  return AlignTabs(text);
}

Result<> CheckRunning(const BuilderView& view) {
  for (const NodeView& node : view.nodes) {
    if (node.status != "inactive") continue;
    return Fail(
        Error(ErrorCode::kUnavailable, Cat("the builder ", Printable(view.name),
                                           " does not answer at ", Printable(node.endpoint)))
            .WithHint("the reason is in the lines above; it is not started from here"));
  }
  return {};
}

}  // namespace

Result<> RunInspect(const Call& call) {
  std::string name;
  std::string flag;
  bool bootstrap = false;
  TRY_ASSIGN(
      bool runs,
      ReadCommandLine({.words = "inspect",
                       .description = "Show a builder and its machines",
                       .flags = {{"bootstrap", 0, flags::FlagKind::kSwitch, "",
                                  "Fail when a machine does not answer", flags::Into(bootstrap)},
                                 BuilderFlag(flag)},
                       .argument = "[NAME]",
                       .target = &name},
                      call));
  if (!runs) return {};
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY(workshop.ReadDocker());
  TRY_ASSIGN(choice::Choice choice,
             ChooseLenient(name.empty() ? flag : name, workshop, sink, call));
  const Look look = bootstrap ? Look::kPatient : Look::kOnce;
  const BuilderView view = LookAtBuilders({&choice}, look, workshop, sink, call.cancel).front();
  TRY(call.cancel.Check());
  TRY(call.terminal.WriteResult(ViewText(view), call.cancel));
  return bootstrap ? CheckRunning(view) : Result<>();
}

}  // namespace depot::command
