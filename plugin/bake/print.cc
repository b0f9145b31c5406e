#include "plugin/bake/print.h"

#include <algorithm>

#include "driver/base/go_json.h"
#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/tab_columns.h"
#include "driver/base/text.h"

namespace depot::bake {
namespace {

/// As Go writes the types of docker buildx.
const MemberOrder& OrderOfMembers() {
  static const MemberOrder order = {{"name",
                                     "group",
                                     "description",
                                     "annotations",
                                     "attest",
                                     "context",
                                     "contexts",
                                     "dockerfile",
                                     "dockerfile-inline",
                                     "args",
                                     "labels",
                                     "tags",
                                     "cache-from",
                                     "cache-to",
                                     "target",
                                     "secret",
                                     "ssh",
                                     "platforms",
                                     "output",
                                     "pull",
                                     "no-cache",
                                     "network",
                                     "no-cache-filter",
                                     "shm-size",
                                     "ulimits",
                                     "call",
                                     "entitlements",
                                     "extra-hosts",
                                     "resources",
                                     "project_id",
                                     "id",
                                     "src",
                                     "env",
                                     "paths"},
                                    {"args", "labels", "contexts", "extra-hosts", "resources"}};
  return order;
}

/// What would be a template when it is read back.
std::string Escaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool opens =
        (text[i] == '$' || text[i] == '%') && i + 1 < text.size() && text[i + 1] == '{';
    out.append(opens ? 2 : 1, text[i]);
  }
  return out;
}

Json TextsOf(const Strings& texts, bool escape = false) {
  Json list = Json::Array();
  for (const std::string& text : texts)
    list.Append(Json::String(escape ? Escaped(text) : text));
  return list;
}

void SetTexts(Json& object, std::string_view key, const Strings& texts, bool escape = false) {
  if (!texts.empty()) object.Set(key, TextsOf(texts, escape));
}

void SetMap(Json& object, std::string_view key, const StringMap& map, bool escape) {
  if (map.empty()) return;
  Json members = Json::Object();
  for (const auto& [name, value] : map)
    members.Set(name, Json::String(escape ? Escaped(value) : value));
  object.Set(key, std::move(members));
}

void SetText(Json& object,
             std::string_view key,
             const std::optional<std::string>& text,
             bool escape = false) {
  if (text) object.Set(key, Json::String(escape ? Escaped(*text) : *text));
}

void SetEntries(Json& object, std::string_view key, const Entries& entries) {
  if (entries.empty()) return;
  Json list = Json::Array();
  for (const Entry& entry : entries) {
    Json members = Json::Object();
    for (const auto& [name, value] : entry) {
      const bool is_switch = key == "attest" && name == "disabled";
      members.Set(name, is_switch ? Json::Bool(true) : Json::String(value));
    }
    list.Append(std::move(members));
  }
  object.Set(key, std::move(list));
}

void SetSsh(Json& object, const std::vector<SshEntry>& entries) {
  if (entries.empty()) return;
  Json list = Json::Array();
  for (const SshEntry& entry : entries) {
    Json members = Json::Object();
    members.Set("id", Json::String(entry.id));
    SetTexts(members, "paths", entry.paths);
    list.Append(std::move(members));
  }
  object.Set("ssh", std::move(list));
}

Json TargetJson(const Fields& fields) {
  Json target = Json::Object();
  if (!fields.description.value_or("").empty()) {
    SetText(target, "description", fields.description);
  }
  SetTexts(target, "annotations", fields.annotations, true);
  SetEntries(target, "attest", fields.attest);
  SetText(target, "context", fields.context);
  SetMap(target, "contexts", fields.contexts, false);
  SetText(target, "dockerfile", fields.dockerfile);
  SetText(target, "dockerfile-inline", fields.dockerfile_inline, true);
  SetMap(target, "args", fields.args, true);
  SetMap(target, "labels", fields.labels, true);
  SetTexts(target, "tags", fields.tags.value_or(Strings()));
  SetEntries(target, "cache-from", fields.cache_from);
  SetEntries(target, "cache-to", fields.cache_to.value_or(Entries()));
  SetText(target, "target", fields.target);
  SetEntries(target, "secret", fields.secret);
  SetSsh(target, fields.ssh);
  SetTexts(target, "platforms", fields.platforms.value_or(Strings()));
  SetEntries(target, "output", fields.output.value_or(Entries()));
  if (fields.pull) target.Set("pull", Json::Bool(*fields.pull));
  if (fields.no_cache) target.Set("no-cache", Json::Bool(*fields.no_cache));
  SetText(target, "network", fields.network);
  SetTexts(target, "no-cache-filter", fields.no_cache_filter);
  SetText(target, "shm-size", fields.shm_size);
  SetTexts(target, "ulimits", fields.ulimits);
  SetText(target, "call", fields.call);
  SetTexts(target, "entitlements", fields.entitlements);
  SetMap(target, "extra-hosts", fields.extra_hosts, true);
  SetMap(target, "resources", fields.resources, false);
  SetText(target, "project_id", fields.project);
  return target;
}

struct Row {
  std::string name;
  std::string description;
  bool group = false;
};

std::vector<Row> RowsOf(const Definition& definition) {
  std::map<std::string, Row> rows;
  for (const auto& [name, fields] : definition.targets)
    rows[name] = {name, fields.description.value_or(""), false};
  for (const auto& [name, group] : definition.groups) {
    const std::string said = group.description.value_or("");
    Strings sorted = group.targets;
    std::sort(sorted.begin(), sorted.end());
    const std::string members = Join(sorted, ", ");
    rows[name] = {name, said.empty() ? members : Cat(said, " (", members, ")"), true};
  }
  std::vector<Row> shown;
  for (auto& [name, row] : rows)
    if (!name.starts_with('_')) shown.push_back(std::move(row));
  return shown;
}

/// As docker buildx has them (text/tabwriter): scripts cut the lines at their tabs.
std::string Table(const std::string& rows) {
  return AlignTabs(rows, {1, 1, true});
}

}  // namespace

std::string PrintResolution(const Resolution& resolution) {
  Json groups = Json::Object();
  for (const auto& [name, group] : resolution.groups) {
    Json shown = Json::Object();
    if (!group.description.value_or("").empty()) {
      SetText(shown, "description", group.description);
    }
    shown.Set("targets", TextsOf(group.targets));
    groups.Set(name, std::move(shown));
  }
  Json targets = Json::Object();
  for (const auto& [name, fields] : resolution.targets)
    targets.Set(name, TargetJson(fields));
  Json all = Json::Object();
  all.Set("group", std::move(groups));
  all.Set("target", std::move(targets));
  return Cat(FormatGoJson(all, 2, OrderOfMembers()), '\n');
}

std::string ListTargets(const Definition& definition, bool json) {
  std::string table = "TARGET\tDESCRIPTION\n";
  Json list = Json::Array();
  for (const Row& row : RowsOf(definition)) {
    table += Cat(Printable(row.name), '\t', Printable(row.description), '\n');
    Json one = Json::Object();
    one.Set("name", Json::String(row.name));
    if (!row.description.empty()) one.Set("description", Json::String(row.description));
    if (row.group) one.Set("group", Json::Bool(true));
    list.Append(std::move(one));
  }
  if (!json) return Table(table);
  return Cat(FormatGoJson(list, 2, {{"name", "description", "group"}, {}}), '\n');
}

std::string ListVariables(const Definition& definition, bool json) {
  std::string table = "VARIABLE\tTYPE\tVALUE\tDESCRIPTION\n";
  Json list = Json::Array();
  for (const VariableFact& fact : definition.variables) {
    table += Cat(fact.name, '\t', fact.type, '\t', Printable(fact.value.value_or("<null>")), '\t',
                 Printable(fact.description), '\n');
    Json one = Json::Object();
    one.Set("name", Json::String(fact.name));
    if (!fact.type.empty()) one.Set("type", Json::String(fact.type));
    if (!fact.description.empty()) one.Set("description", Json::String(fact.description));
    if (fact.value) one.Set("value", Json::String(*fact.value));
    list.Append(std::move(one));
  }
  if (!json) return Table(table);
  return Cat(FormatGoJson(list, 2, {{"name", "type", "description", "value"}, {}}), '\n');
}

}  // namespace depot::bake
