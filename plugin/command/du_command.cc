#include "plugin/command/du_command.h"

#include <algorithm>
#include <ctime>

#include "driver/base/shown.h"
#include "driver/base/tab_columns.h"
#include "driver/base/text.h"
#include "driver/builder/cache_usage.h"
#include "plugin/command/account.h"
#include "plugin/command/builder_choice.h"
#include "plugin/command/builder_view.h"
#include "plugin/command/cache_filter.h"
#include "plugin/command/command_line.h"
#include "plugin/command/figures_text.h"
#include "plugin/command/go_template.h"
#include "plugin/progress/line_sink.h"

namespace depot::command {
namespace {

constexpr TabColumns kUsageColumns{1, 1, true};

std::string CreatedText(const builder::CacheRecord& record) {
  const std::time_t time = record.created_s;
  std::tm parts{};
  char text[64];
  if (::gmtime_r(&time, &parts) == nullptr) return "";
  std::string shown(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts));
  return Cat(shown, FractionText(record.created_ns), " +0000 UTC");
}

std::string LastUsed(const builder::CacheRecord& record) {
  if (record.used_s == 0) return "";
  return RoughDuration(std::time(nullptr) - record.used_s) + " ago";
}

std::string UsageRow(const builder::CacheRecord& record) {
  return Cat(Printable(record.id), record.changing ? "*" : "", '\t',
             record.in_use ? "false" : "true", '\t', DecimalSize(record.size),
             record.shared ? "*" : "", '\t', LastUsed(record), '\n');
}

std::string PrettyRows(const builder::CacheRecord& record) {
  auto yes = [](bool value) { return value ? "true" : "false"; };
  std::string text = Cat("ID:           ", Printable(record.id), '\n');
  if (!record.parents.empty()) text += "Parents:\n";
  for (const std::string& parent : record.parents)
    text += Cat(" - ", Printable(parent), '\n');
  text += Cat("Created at:   ", CreatedText(record), "\nMutable:      ", yes(record.changing),
              "\nReclaimable:  ", yes(!record.in_use), "\nShared:       ", yes(record.shared),
              "\nSize:         ", DecimalSize(record.size), '\n');
  if (!record.description.empty()) {
    text += Cat("Description:  ", Printable(record.description), '\n');
  }
  text += Cat("Usage count:  ", record.uses, '\n');
  if (record.used_s != 0) text += Cat("Last used:    ", LastUsed(record), '\n');
  if (!record.type.empty()) text += Cat("Type:         ", Printable(record.type), '\n');
  return text + '\n';
}

Json UsageJson(const builder::CacheRecord& record) {
  Json parents = Json::Array();
  for (const std::string& parent : record.parents)
    parents.Append(Json::String(parent));
  Json json = Json::Object();
  json.Set("ID", Json::String(record.id));
  json.Set("Parents", parents.size() > 0 ? std::move(parents) : Json());
  json.Set("CreatedAt", Json::String(CreatedText(record)));
  json.Set("Mutable", Json::Bool(record.changing));
  json.Set("Reclaimable", Json::Bool(!record.in_use));
  json.Set("Shared", Json::Bool(record.shared));
  json.Set("Size", Json::String(DecimalSize(record.size)));
  json.Set("Description", Json::String(record.description));
  json.Set("UsageCount", Json::Number(record.uses));
  json.Set("LastUsedAt", Json::String(LastUsed(record)));
  json.Set("Type", Json::String(record.type));
  return json;
}

std::string Summary(const std::vector<builder::CacheRecord>& records) {
  std::int64_t total = 0;
  std::int64_t reclaimable = 0;
  std::int64_t shared = 0;
  for (const builder::CacheRecord& record : records) {
    const std::int64_t size = std::max<std::int64_t>(record.size, 0);
    total += size;
    if (!record.in_use) reclaimable += size;
    if (record.shared) shared += size;
  }
  std::string text;
  if (shared > 0) {
    text = Cat("Shared:\t", DecimalSize(shared), "\nPrivate:\t", DecimalSize(total - shared), '\n');
  }
  return AlignTabs(
      Cat(text, "Reclaimable:\t", DecimalSize(reclaimable), "\nTotal:\t", DecimalSize(total), '\n'),
      kUsageColumns);
}

struct DuOptions {
  std::string builder;
  std::string format;
  std::vector<std::string> filters;
  bool verbose = false;
};

Result<std::string> UsageText(const std::vector<builder::CacheRecord>& records,
                              const DuOptions& options) {
  std::string text;
  if (options.format == "pretty") {
    for (const builder::CacheRecord& record : records)
      text += PrettyRows(record);
  } else if (options.format == "table") {
    text = "ID\tRECLAIMABLE\tSIZE\tLAST ACCESSED\n";
    for (const builder::CacheRecord& record : records)
      text += UsageRow(record);
    text = AlignTabs(text, kTableColumns);
  } else {
    const std::string format = options.format == "json" ? "{{json .}}" : options.format;
    TRY_ASSIGN(GoTemplate filled, GoTemplate::Parse(format));
    auto dump = [](const Json& json) { return json.Dump(); };
    for (const builder::CacheRecord& record : records) {
      TRY_ASSIGN(std::string line, filled.Run(UsageJson(record), dump));
      text += Cat(line, '\n');
    }
    return text;
  }
  return options.filters.empty() ? text + Summary(records) : text;
}

constexpr std::string_view kHostedNote =
    "WARNING: the Depot API gives out builders to builds alone, which clean up by themselves; the "
    "command `cache reset` empties a project's cache";

}  // namespace

Result<> RunDu(const Call& call) {
  DuOptions options;
  constexpr flags::FlagKind kText = flags::FlagKind::kText;
  TRY_ASSIGN(bool runs,
             ReadCommandLine(
                 {.words = "du",
                  .description = "Show what the cache of the builder has",
                  .flags = {BuilderFlag(options.builder),
                            {"filter", 0, kText, "filter", "Show what fits, as in \"type=regular\"",
                             flags::Added(options.filters)},
                            {"format", 0, kText, "string",
                             "\"table\", \"pretty\", \"json\" or a Go template",
                             flags::Into(options.format)},
                            {"verbose", 0, flags::FlagKind::kSwitch, "", "As --format=pretty",
                             flags::Into(options.verbose)}}},
                 call));
  if (!runs) return {};
  if (options.verbose && !options.format.empty()) {
    return Fail(ErrorCode::kUsage, "--format and --verbose cannot be used together");
  }
  if (options.format.empty()) options.format = options.verbose ? "pretty" : "table";
  TRY_ASSIGN(CacheFilter filter, ParseCacheFilter(options.filters));
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY(workshop.ReadDocker());
  TRY_ASSIGN(auto leased, LeaseBuilders(options.builder, workshop, sink, call));
  if (leased.empty()) {
    sink.Say(std::string(kHostedNote));
    return {};
  }
  std::vector<builder::CacheRecord> records;
  for (LeasedBuilder& one : leased) {
    TRY_ASSIGN(auto found, builder::AskCacheUsage(*one.builder, filter.filters, call.cancel));
    records.insert(records.end(), found.begin(), found.end());
  }
  TRY_ASSIGN(std::string text, UsageText(records, options));
  return call.terminal.WriteResult(text, call.cancel);
}

namespace {

struct PruneOptions {
  std::string builder;
  std::vector<std::string> filters;
  builder::PruneOrder order;
  bool force = false;
  bool verbose = false;
};

CommandLine PruneLine(PruneOptions& options) {
  constexpr flags::FlagKind kText = flags::FlagKind::kText;
  constexpr flags::FlagKind kSwitch = flags::FlagKind::kSwitch;
  return {
      .words = "prune",
      .description = "Empty the cache of the builder",
      .flags = {{"all", 'a', kSwitch, "", "Also what the builder keeps for itself",
                 flags::Into(options.order.all)},
                BuilderFlag(options.builder),
                {"filter", 0, kText, "filter", "Remove what fits, as in \"until=24h\"",
                 flags::Added(options.filters)},
                {"force", 'f', kSwitch, "", "Do it; nobody is asked", flags::Into(options.force)},
                {"keep-storage", 0, kText, "bytes", "",
                 flags::Parsed(options.order.reserved_bytes, ParseBytes)},
                {"max-used-space", 0, kText, "bytes", "Most that may stay",
                 flags::Parsed(options.order.most_bytes, ParseBytes)},
                {"min-free-space", 0, kText, "bytes", "How much of the disk shall be free",
                 flags::Parsed(options.order.free_bytes, ParseBytes)},
                {"reserved-space", 0, kText, "bytes", "What stays in any case",
                 flags::Parsed(options.order.reserved_bytes, ParseBytes)},
                {"verbose", 0, kSwitch, "", "Say more of what is removed",
                 flags::Into(options.verbose)}}};
}

Result<> PruneHosted(const PruneOptions& options,
                     job::Workshop& workshop,
                     EventSink& sink,
                     const Call& call) {
  if (!options.order.all || !options.filters.empty()) {
    sink.Say(std::string(kHostedNote));
    return {};
  }
  TRY_ASSIGN(auto account, Account::Open(workshop, sink));
  TRY_ASSIGN(std::string project, account->Project("", ""));
  TRY_ASSIGN(api::Token token, account->Token(Secret(), call.cancel));
  TRY(account->api().ResetCache(token, project, call.cancel));
  return call.terminal.WriteResult(Cat("Cache reset for (", Printable(project), ").\n"),
                                   call.cancel);
}

}  // namespace

Result<> RunPrune(const Call& call) {
  PruneOptions options;
  TRY_ASSIGN(bool runs, ReadCommandLine(PruneLine(options), call));
  if (!runs) return {};
  TRY_ASSIGN(CacheFilter filter, ParseCacheFilter(options.filters));
  options.order.filters = filter.filters;
  options.order.keep_ns = filter.keep_ns;
  if (!options.force) {
    return Fail(Error(ErrorCode::kUsage, "prune removes what other builds could use")
                    .WithHint("give --force if that is meant"));
  }
  LineSink sink(call.terminal, call.cancel);
  job::Workshop workshop(call.environment, call.globals, call.version);
  TRY(workshop.ReadDocker());
  TRY_ASSIGN(auto leased, LeaseBuilders(options.builder, workshop, sink, call));
  if (leased.empty()) return PruneHosted(options, workshop, sink, call);
  std::string text;
  std::int64_t total = 0;
  for (LeasedBuilder& one : leased) {
    auto removed = [&](const builder::CacheRecord& record) {
      total += record.size;
      text += options.verbose ? PrettyRows(record) : UsageRow(record);
    };
    TRY(builder::PruneCache(*one.builder, options.order, removed, call.cancel));
  }
  if (!options.verbose && !text.empty()) {
    text = AlignTabs(Cat("ID\tRECLAIMABLE\tSIZE\tLAST ACCESSED\n", text), kTableColumns);
  }
  return call.terminal.WriteResult(
      text + AlignTabs(Cat("Total:\t", DecimalSize(total), '\n'), kUsageColumns), call.cancel);
}

}  // namespace depot::command
