#include "plugin/command/history_commands.h"

#include <algorithm>
#include <filesystem>

#include "driver/base/tab_columns.h"
#include "driver/base/text.h"
#include "driver/git/checkout.h"
#include "plugin/command/chosen_display.h"
#include "plugin/command/command_line.h"
#include "plugin/command/figures_text.h"
#include "plugin/command/go_template.h"
#include "plugin/command/history_records.h"
#include "plugin/options/flag_values.h"

namespace depot::command {
namespace {

constexpr std::size_t kMostListed = 50;
constexpr std::size_t kLongestName = 36;
constexpr std::string_view kTableFormat =
    "table {{.Ref}}\t{{.Name}}\t{{.Status}}\t{{.CreatedAt}}\t{{.Duration}}";

struct LsOptions {
  std::string builder;
  std::string format = "table";
  std::vector<std::string> filters;
  bool whole = false;
  bool local = false;
};

CommandLine HistoryLsLine(LsOptions& options) {
  constexpr flags::FlagKind kText = flags::FlagKind::kText;
  constexpr flags::FlagKind kSwitch = flags::FlagKind::kSwitch;
  return {.words = "history ls",
          .description = "List the builder's records of builds",
          .flags = {BuilderFlag(options.builder),
                    {"filter", 0, kText, "filter", "Show what fits, as in \"status=error\"",
                     flags::Added(options.filters)},
                    {"format", 0, kText, "string",
                     "\"table\", \"json\" or a Go template (default \"table\")",
                     flags::Into(options.format)},
                    {"local", 0, kSwitch, "", "Those of this git repository alone",
                     flags::Into(options.local)},
                    {"no-trunc", 0, kSwitch, "", "Show whole names", flags::Into(options.whole)}}};
}

/// The condition of --local.
Result<std::string> LocalFilter() {
  std::error_code error;
  TRY_ASSIGN(auto checkout, git::ReadCheckout(std::filesystem::current_path(error).string()));
  if (checkout && !checkout->remote.empty()) return Cat("repository=", checkout->remote);
  return Fail(Error(ErrorCode::kNotFound, checkout
                                              ? "--local: the git repository here has no remote"
                                              : "--local: there is no git repository here")
                  .WithHint("--filter repository=URL names one"));
}

std::string AgeText(const solve::Moment& moment) {
  return RoughDuration(Now().seconds - moment.seconds) + " ago";
}

std::string DurationText(const solve::HistoryRecord& record) {
  const solve::Moment end = record.running() ? Now() : record.completed;
  return Cat(SpanText(Between(record.created, end)), record.running() ? "+" : "");
}

/// What `--format json` has, and {{json .}}.
Json ListedJson(const KeptRecord& kept) {
  const solve::HistoryRecord& record = kept.record;
  Json json = Json::Object();
  json.Set("ref", Json::String(kept.full_ref()));
  json.Set("name", Json::String(NameOfBuild(kept)));
  json.Set("status", Json::String(StatusWord(record)));
  json.Set("created_at", Json::String(TimeText(record.created, false)));
  if (!record.running()) {
    json.Set("completed_at", Json::String(TimeText(record.completed, false)));
  }
  json.Set("total_steps", Json::Number(record.total_steps));
  json.Set("completed_steps", Json::Number(record.completed_steps));
  json.Set("cached_steps", Json::Number(record.cached_steps));
  return json;
}

/// A row of a template.
Json FieldsOf(const KeptRecord& kept, bool trimmed) {
  std::string name = NameOfBuild(kept);
  if (trimmed && name.size() > kLongestName) {
    name = Cat("..", name.substr(name.size() - kLongestName + 2));
  }
  Json row = Json::Object();
  row.Set("Ref", Json::String(kept.record.ref));
  row.Set("FullRef", Json::String(kept.full_ref()));
  row.Set("Name", Json::String(name));
  row.Set("Status", Json::String(StatusWord(kept.record)));
  row.Set("CreatedAt", Json::String(AgeText(kept.record.created)));
  row.Set("Duration", Json::String(DurationText(kept.record)));
  row.Set("Link", Json::String(""));
  return row;
}

Json Headings() {
  Json row = Json::Object();
  for (const auto& [field, heading] : {std::pair{"Ref", "BUILD ID"},
                                       {"FullRef", "BUILD ID"},
                                       {"Name", "NAME"},
                                       {"Status", "STATUS"},
                                       {"CreatedAt", "CREATED AT"},
                                       {"Duration", "DURATION"},
                                       {"Link", ""}}) {
    row.Set(field, Json::String(heading));
  }
  return row;
}

/// In a table format a tab may be written as two characters (docker/cli cli/command/formatter).
std::string WithRealTabs(std::string text) {
  for (std::size_t at = 0; (at = text.find("\\t", at)) != std::string::npos; ++at)
    text.replace(at, 2, "\t");
  return text;
}

Result<std::string> ListText(const std::vector<KeptRecord>& records, const LsOptions& options) {
  std::string format = options.format == "table" ? std::string(kTableFormat) : options.format;
  if (format == "json") format = "{{json .}}";
  constexpr std::string_view kTable = "table ";
  const bool table = format.starts_with(kTable);
  if (table) format = WithRealTabs(format.substr(kTable.size()));
  TRY_ASSIGN(GoTemplate filled, GoTemplate::Parse(format));
  std::string text;
  if (table) {
    TRY_ASSIGN(text, filled.Run(Headings(), [](const Json& json) { return json.Dump(); }));
    text += '\n';
  }
  for (const KeptRecord& kept : records) {
    const Json row = FieldsOf(kept, table && !options.whole);
    // The whole record has keys of its own.
    auto dump = [&](const Json& json) {
      return json.Has("FullRef") ? ListedJson(kept).Dump() : json.Dump();
    };
    TRY_ASSIGN(std::string line, filled.Run(row, dump));
    text += Cat(line, '\n');
  }
  return table ? AlignTabs(text, kTableColumns) : text;
}

}  // namespace

Result<> RunHistoryLs(const Call& call) {
  LsOptions options;
  TRY_ASSIGN(const bool runs, ReadCommandLine(HistoryLsLine(options), call));
  if (!runs) return {};
  if (options.local) {
    TRY_ASSIGN(std::string filter, LocalFilter());
    options.filters.push_back(std::move(filter));
  }
  TRY_ASSIGN(const auto matches, ParseHistoryFilters(options.filters, Now().seconds));
  HistoryDesk desk(call);
  TRY_ASSIGN(BuildHistory history, desk.Open(options.builder, call));
  TRY_ASSIGN(std::vector<KeptRecord> records, history.All(matches, call.cancel));
  std::stable_partition(records.begin(), records.end(),
                        [](const KeptRecord& kept) { return kept.record.running(); });
  if (records.size() > kMostListed) records.resize(kMostListed);
  TRY_ASSIGN(const std::string text, ListText(records, options));
  return call.terminal.WriteResult(text, call.cancel);
}

Result<> RunHistoryLogs(const Call& call) {
  std::string builder;
  std::string ref;
  options::ProgressMode progress = options::ProgressMode::kPlain;
  TRY_ASSIGN(const bool runs,
             ReadCommandLine({.words = "history logs",
                              .description = "Show what a build has shown",
                              .flags = {BuilderFlag(builder),
                                        {"progress", 0, flags::FlagKind::kText, "string",
                                         "\"plain\", \"rawjson\" or \"tty\" (default \"plain\")",
                                         flags::Parsed(progress, options::ParseProgress)}},
                              .argument = "[REF]",
                              .target = &ref},
                             call));
  if (!runs) return {};
  if (progress == options::ProgressMode::kAuto) progress = options::ProgressMode::kPlain;
  TRY_ASSIGN(ChosenDisplay chosen, ChooseDisplay(call, progress));
  HistoryDesk desk(call);
  TRY_ASSIGN(BuildHistory history, desk.Open(builder, call));
  TRY_ASSIGN(const KeptRecord kept, history.Find(ref, call.cancel));
  chosen.options.title = kept.full_ref();
  const auto display = MakeDisplay(chosen.options, call.terminal);
  Result<> replayed = solve::ReplayBuild(*kept.keeper, kept.record.ref, *display, call.cancel);
  display->Finish(replayed ? nullptr : &replayed.error());
  return replayed;
}

Result<> RunHistoryRm(const Call& call) {
  std::string builder;
  std::vector<std::string> refs;
  bool all = false;
  TRY_ASSIGN(const bool runs, ReadCommandLine({.words = "history rm",
                                               .description = "Remove records of builds",
                                               .flags = {{"all", 0, flags::FlagKind::kSwitch, "",
                                                          "Remove all records", flags::Into(all)},
                                                         BuilderFlag(builder)},
                                               .argument = "[REF...]",
                                               .targets = &refs},
                                              call));
  if (!runs) return {};
  if (refs.empty() && !all) return Fail(ErrorCode::kUsage, "rm requires at least one argument");
  if (!refs.empty() && all) {
    return Fail(ErrorCode::kUsage, "rm requires either --all or at least one argument");
  }
  HistoryDesk desk(call);
  TRY_ASSIGN(BuildHistory history, desk.Open(builder, call));
  if (all) {
    TRY_ASSIGN(const std::vector<KeptRecord> records, history.All({}, call.cancel));
    for (const KeptRecord& kept : records) {
      if (kept.record.running()) continue;
      TRY(solve::RemoveFromHistory(*kept.keeper, kept.record.ref, call.cancel));
    }
    return {};
  }
  std::optional<Error> missing;
  for (const std::string& ref : refs) {
    Result<KeptRecord> kept = history.Find(ref, call.cancel);
    if (kept) {
      TRY(solve::RemoveFromHistory(*kept->keeper, kept->record.ref, call.cancel));
    } else if (!missing) {
      missing = std::move(kept).error();
    }
  }
  if (missing) return Fail(*std::move(missing));
  return {};
}

}  // namespace depot::command
