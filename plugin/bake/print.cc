#include "plugin/bake/print.h"

#include <algorithm>

#include "driver/base/go_json.h"
#include "driver/base/shown.h"
#include "driver/base/tab_columns.h"
#include "driver/base/text.h"

namespace depot::bake {
namespace {

constexpr int kIndent = 2;

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

void WriteTexts(GoJsonText& out, std::string_view key, const Strings& texts, bool escape = false) {
  if (texts.empty()) return;
  out.Key(key);
  out.Open('[');
  for (const std::string& text : texts)
    out.Text(escape ? Escaped(text) : text);
  out.Close(']');
}

void WriteMap(GoJsonText& out, std::string_view key, const StringMap& map, bool escape) {
  if (map.empty()) return;
  out.Key(key);
  out.Open('{');
  for (const auto& [name, value] : map) {
    out.Key(name);
    out.Text(escape ? Escaped(value) : value);
  }
  out.Close('}');
}

void WriteText(GoJsonText& out,
               std::string_view key,
               const std::optional<std::string>& text,
               bool escape = false) {
  if (!text) return;
  out.Key(key);
  out.Text(escape ? Escaped(*text) : *text);
}

void WriteDescription(GoJsonText& out, const std::optional<std::string>& text) {
  if (!text.value_or("").empty()) WriteText(out, "description", text);
}

void WriteSwitch(GoJsonText& out, std::string_view key, const std::optional<bool>& value) {
  if (!value) return;
  out.Key(key);
  out.Bool(*value);
}

void WriteMember(GoJsonText& out,
                 std::string_view field,
                 const std::string& name,
                 const std::string& value) {
  if (field == "attest" && name == "disabled") return WriteSwitch(out, name, true);
  out.Key(name);
  out.Text(value);
}

/// The members of each entry sorted, those in `first` before the others.
void WriteEntries(GoJsonText& out,
                  std::string_view field,
                  const Entries& entries,
                  const Strings& first = {}) {
  if (entries.empty()) return;
  out.Key(field);
  out.Open('[');
  for (const Entry& entry : entries) {
    out.Open('{');
    for (const std::string& name : first) {
      const auto found = entry.find(name);
      if (found != entry.end()) WriteMember(out, field, name, found->second);
    }
    for (const auto& [name, value] : entry) {
      if (std::find(first.begin(), first.end(), name) != first.end()) continue;
      WriteMember(out, field, name, value);
    }
    out.Close('}');
  }
  out.Close(']');
}

void WriteSsh(GoJsonText& out, const std::vector<SshEntry>& entries) {
  if (entries.empty()) return;
  out.Key("ssh");
  out.Open('[');
  for (const SshEntry& entry : entries) {
    out.Open('{');
    WriteText(out, "id", entry.id);
    WriteTexts(out, "paths", entry.paths);
    out.Close('}');
  }
  out.Close(']');
}

/// The members stand in the order of docker buildx's types.
void WriteTarget(GoJsonText& out, const Fields& fields) {
  out.Open('{');
  WriteDescription(out, fields.description);
  WriteTexts(out, "annotations", fields.annotations, true);
  WriteEntries(out, "attest", fields.attest);
  WriteText(out, "context", fields.context);
  WriteMap(out, "contexts", fields.contexts, false);
  WriteText(out, "dockerfile", fields.dockerfile);
  WriteText(out, "dockerfile-inline", fields.dockerfile_inline, true);
  WriteMap(out, "args", fields.args, true);
  WriteMap(out, "labels", fields.labels, true);
  WriteTexts(out, "tags", fields.tags.value_or(Strings()));
  WriteEntries(out, "cache-from", fields.cache_from);
  WriteEntries(out, "cache-to", fields.cache_to.value_or(Entries()));
  WriteText(out, "target", fields.target);
  WriteEntries(out, "secret", fields.secret, {"id", "src", "env"});
  WriteSsh(out, fields.ssh);
  WriteTexts(out, "platforms", fields.platforms.value_or(Strings()));
  WriteEntries(out, "output", fields.output.value_or(Entries()));
  WriteSwitch(out, "pull", fields.pull);
  WriteSwitch(out, "no-cache", fields.no_cache);
  WriteText(out, "network", fields.network);
  WriteTexts(out, "no-cache-filter", fields.no_cache_filter);
  WriteText(out, "shm-size", fields.shm_size);
  WriteTexts(out, "ulimits", fields.ulimits);
  WriteText(out, "call", fields.call);
  WriteTexts(out, "entitlements", fields.entitlements);
  WriteMap(out, "extra-hosts", fields.extra_hosts, true);
  WriteMap(out, "resources", fields.resources, false);
  WriteText(out, "project_id", fields.project);
  out.Close('}');
}

void WriteGroup(GoJsonText& out, const Group& group) {
  out.Open('{');
  WriteDescription(out, group.description);
  out.Key("targets");
  out.Open('[');
  for (const std::string& target : group.targets)
    out.Text(target);
  out.Close(']');
  out.Close('}');
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
  GoJsonText out(kIndent);
  out.Open('{');
  out.Key("group");
  out.Open('{');
  for (const auto& [name, group] : resolution.groups) {
    out.Key(name);
    WriteGroup(out, group);
  }
  out.Close('}');
  out.Key("target");
  out.Open('{');
  for (const auto& [name, fields] : resolution.targets) {
    out.Key(name);
    WriteTarget(out, fields);
  }
  out.Close('}');
  out.Close('}');
  return Cat(out.Take(), '\n');
}

std::string ListTargets(const Definition& definition, bool json) {
  std::string table = "TARGET\tDESCRIPTION\n";
  GoJsonText list(kIndent);
  list.Open('[');
  for (const Row& row : RowsOf(definition)) {
    table += Cat(Printable(row.name), '\t', Printable(row.description), '\n');
    list.Open('{');
    WriteText(list, "name", row.name);
    WriteDescription(list, row.description);
    if (row.group) WriteSwitch(list, "group", true);
    list.Close('}');
  }
  list.Close(']');
  return json ? Cat(list.Take(), '\n') : Table(table);
}

std::string ListVariables(const Definition& definition, bool json) {
  std::string table = "VARIABLE\tTYPE\tVALUE\tDESCRIPTION\n";
  GoJsonText list(kIndent);
  list.Open('[');
  for (const VariableFact& fact : definition.variables) {
    table += Cat(fact.name, '\t', fact.type, '\t', Printable(fact.value.value_or("<null>")), '\t',
                 Printable(fact.description), '\n');
    list.Open('{');
    WriteText(list, "name", fact.name);
    if (!fact.type.empty()) WriteText(list, "type", fact.type);
    WriteDescription(list, fact.description);
    WriteText(list, "value", fact.value);
    list.Close('}');
  }
  list.Close(']');
  return json ? Cat(list.Take(), '\n') : Table(table);
}

}  // namespace depot::bake
