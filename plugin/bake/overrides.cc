#include "plugin/bake/overrides.h"

#include <algorithm>
#include <optional>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "driver/files/glob.h"
#include "plugin/bake/entries.h"

namespace depot::bake {
namespace {

/// How the values of a key are taken.
enum class Takes { kText, kSwitch, kList, kNamed };

struct OverrideKey {
  std::string_view key;
  Takes takes;
};

/// buildx bake/bake.go, newOverrides and AddOverrides.
constexpr OverrideKey kKeys[] = {
    {"annotations", Takes::kList},  {"args", Takes::kNamed},
    {"attest", Takes::kList},       {"cache-from", Takes::kList},
    {"cache-to", Takes::kList},     {"call", Takes::kText},
    {"context", Takes::kText},      {"contexts", Takes::kNamed},
    {"dockerfile", Takes::kText},   {"entitlements", Takes::kList},
    {"extra-hosts", Takes::kNamed}, {"labels", Takes::kNamed},
    {"load", Takes::kSwitch},       {"network", Takes::kText},
    {"no-cache", Takes::kSwitch},   {"no-cache-filter", Takes::kList},
    {"output", Takes::kList},       {"platform", Takes::kList},
    {"pull", Takes::kSwitch},       {"push", Takes::kSwitch},
    {"resources", Takes::kNamed},   {"secrets", Takes::kList},
    {"shm-size", Takes::kText},     {"ssh", Takes::kList},
    {"tags", Takes::kList},         {"target", Takes::kText},
    {"ulimits", Takes::kList},
};

Error BadOverride(std::string_view message) {
  return Error(ErrorCode::kInvalid, Cat("--set: ", message));
}

Result<Takes> TakesOf(const std::string& key, const std::string& whole) {
  std::vector<std::string_view> known;
  for (const OverrideKey& one : kKeys) {
    if (one.key == key) return one.takes;
    known.push_back(one.key);
  }
  const std::string_view near = Nearest(key, known);
  return Fail(BadOverride(Cat(Printable(whole), ": there is no key \"", Printable(key), "\" to set",
                              near.empty() ? "" : Cat(", did you mean ", near, "?"))));
}

/// One `--set`, taken apart.
struct Setting {
  std::string pattern;
  std::string key;
  std::string name;
  std::optional<std::string> value;
  bool append = false;
  Takes takes = Takes::kText;
};

Result<Setting> ReadSetting(const std::string& text) {
  Setting setting;
  const std::size_t sign = text.find('=');
  std::string path = text.substr(0, sign);
  if (sign != std::string::npos) setting.value = text.substr(sign + 1);
  if (path.ends_with('+') && setting.value) {
    setting.append = true;
    path.pop_back();
  }
  const std::size_t first = path.find('.');
  if (first == std::string::npos) {
    return Fail(BadOverride(Cat(Printable(path), ": TARGET.KEY=VALUE is wanted")));
  }
  const std::size_t second = path.find('.', first + 1);
  setting.pattern = path.substr(0, first);
  setting.key = path.substr(first + 1, second - first - 1);
  if (second != std::string::npos) setting.name = path.substr(second + 1);
  TRY_ASSIGN(setting.takes, TakesOf(setting.key, path));
  if (!setting.value && setting.key != "args") {
    return Fail(BadOverride(Cat(Printable(path), ": the value is missing: TARGET.KEY=VALUE")));
  }
  const bool named = setting.takes == Takes::kNamed;
  if (named && setting.name.empty()) {
    return Fail(BadOverride(
        Cat(Printable(path), ": ", setting.key, " needs a name: ", setting.key, ".NAME=VALUE")));
  }
  if (!named && !setting.name.empty()) {
    return Fail(BadOverride(Cat(Printable(path), ": ", setting.key, " has no parts")));
  }
  if (setting.takes == Takes::kSwitch && !ParseBool(*setting.value)) {
    return Fail(BadOverride(Cat(Printable(path), ": ", Printable(*setting.value),
                                " is neither true nor false, for ", setting.key)));
  }
  return setting;
}

void Put(const Setting& setting, std::vector<Override>& overrides) {
  auto same = std::find_if(overrides.begin(), overrides.end(), [&](const Override& one) {
    return one.key == setting.key && one.name == setting.name;
  });
  if (same == overrides.end()) {
    same = overrides.insert(overrides.end(), Override{setting.key, setting.name, {}, false});
  }
  if (setting.takes != Takes::kList) same->values.clear();
  same->values.push_back(*setting.value);
  same->append = setting.append;
}

bool IsOn(const Override& override) {
  return *ParseBool(override.values.back());
}

bool IsType(const Entry& output, std::string_view type) {
  auto found = output.find("type");
  return found != output.end() && found->second == type;
}

void ApplyPush(bool push, Fields& fields) {
  if (!fields.output) fields.output.emplace();
  Entries& outputs = *fields.output;
  if (!push) std::erase_if(outputs, [](const Entry& one) { return IsType(one, "registry"); });
  const bool only_docker = std::all_of(outputs.begin(), outputs.end(),
                                       [](const Entry& one) { return IsType(one, "docker"); });
  for (Entry& output : outputs)
    if (IsType(output, "image")) output["push"] = push ? "true" : "false";
  if (push && only_docker) outputs.push_back({{"type", "image"}, {"push", "true"}});
}

void ApplyLoad(bool load, Fields& fields) {
  if (!load) return;
  if (!fields.output) fields.output.emplace();
  for (const Entry& output : *fields.output) {
    auto dest = output.find("dest");
    if (IsType(output, "docker")) {
      if (dest == output.end() || dest->second.empty()) return;
    } else if (!IsType(output, "image") && !IsType(output, "registry") && !IsType(output, "oci")) {
      return;
    }
  }
  fields.output->push_back({{"type", "docker"}});
}

template <typename List>
void SetList(const Override& override, const List& values, List& into) {
  if (!override.append) into.clear();
  into.insert(into.end(), values.begin(), values.end());
}

template <typename List>
void SetList(const Override& override, const List& values, std::optional<List>& into) {
  if (!into) into.emplace();
  SetList(override, values, *into);
}

Result<> ApplyEntries(const Override& override, Fields& fields) {
  const std::string& key = override.key;
  Entries entries;
  if (key == "ssh") {
    std::vector<SshEntry> all;
    for (const std::string& value : override.values)
      for (SshEntry& entry : ParseSshEntries(value))
        all.push_back(std::move(entry));
    SetList(override, all, fields.ssh);
  } else if (key == "attest") {
    TRY(ParseEach(override.values, ParseAttests, entries));
    for (const Entry& entry : entries)
      PutEntry(fields.attest, entry, "type");
  } else if (key == "secrets") {
    TRY(ParseEach(override.values, ParseSecrets, entries));
    SetList(override, entries, fields.secret);
  } else if (key == "output") {
    TRY(ParseEach(override.values, ParseOutputs, entries));
    SetList(override, entries, fields.output);
  } else {
    TRY(ParseEach(override.values, ParseCaches, entries));
    if (key == "cache-from") {
      SetList(override, entries, fields.cache_from);
    } else {
      SetList(override, entries, fields.cache_to);
    }
  }
  return {};
}

StringMap* NamedField(const std::string& key, Fields& fields) {
  if (key == "args") return &fields.args;
  if (key == "labels") return &fields.labels;
  if (key == "contexts") return &fields.contexts;
  if (key == "extra-hosts") return &fields.extra_hosts;
  return key == "resources" ? &fields.resources : nullptr;
}

std::optional<std::string>* TextOfField(const std::string& key, Fields& fields) {
  if (key == "context") return &fields.context;
  if (key == "dockerfile") return &fields.dockerfile;
  if (key == "target") return &fields.target;
  if (key == "call") return &fields.call;
  if (key == "network") return &fields.network;
  return key == "shm-size" ? &fields.shm_size : nullptr;
}

Result<> ApplyOne(const Override& override, Fields& fields) {
  const std::string& key = override.key;
  const Strings& values = override.values;
  if (StringMap* map = NamedField(key, fields)) {
    (*map)[override.name] = values.back();
  } else if (auto* text = TextOfField(key, fields)) {
    *text = values.back();
  } else if (key == "pull") {
    fields.pull = IsOn(override);
  } else if (key == "no-cache") {
    fields.no_cache = IsOn(override);
  } else if (key == "tags") {
    SetList(override, values, fields.tags);
  } else if (key == "platform") {
    SetList(override, values, fields.platforms);
  } else if (key == "no-cache-filter") {
    SetList(override, values, fields.no_cache_filter);
  } else if (key == "ulimits") {
    SetList(override, values, fields.ulimits);
  } else if (key == "annotations" || key == "entitlements") {
    Strings& list = key == "annotations" ? fields.annotations : fields.entitlements;
    list.insert(list.end(), values.begin(), values.end());
  } else if (key != "push" && key != "load") {
    Result<> applied = ApplyEntries(override, fields);
    if (!applied) return Fail(std::move(applied).error().While(Cat("--set ", key)));
  }
  return {};
}

}  // namespace

Result<Strings> MatchNames(const std::string& pattern, const Strings& names) {
  if (std::find(names.begin(), names.end(), pattern) != names.end()) return Strings{pattern};
  auto glob = files::Glob::Compile(pattern);
  if (!glob) {
    return Fail(std::move(glob).error().While(Cat("pattern \"", Printable(pattern), '"')));
  }
  Strings matching;
  for (const std::string& name : names)
    if (glob->MatchesName(name)) matching.push_back(name);
  return matching;
}

Result<Overrides> ReadOverrides(const Definition& definition,
                                const Strings& settings,
                                const Environment& environment) {
  Strings names;
  for (const auto& [name, fields] : definition.targets)
    names.push_back(name);
  Overrides overrides;
  for (const std::string& text : settings) {
    TRY_ASSIGN(Setting setting, ReadSetting(text));
    TRY_ASSIGN(const Strings matching, MatchNames(setting.pattern, names));
    if (matching.empty()) {
      return Fail(BadOverride(Cat(Printable(text.substr(0, text.find('='))),
                                  ": no target is called \"", Printable(setting.pattern), '"'))
                      .WithHint("`bake --list targets` shows them"));
    }
    if (!setting.value) {
      auto said = environment.find(setting.name);
      if (said == environment.end()) continue;
      setting.value = said->second;
    }
    for (const std::string& name : matching)
      Put(setting, overrides[name]);
  }
  return overrides;
}

Result<> Apply(const std::vector<Override>& overrides, Fields& fields) {
  for (const Override& override : overrides)
    TRY(ApplyOne(override, fields));
  for (const char* last : {"push", "load"}) {
    for (const Override& override : overrides) {
      if (override.key != last) continue;
      override.key == "push" ? ApplyPush(IsOn(override), fields)
                             : ApplyLoad(IsOn(override), fields);
    }
  }
  return {};
}

}  // namespace depot::bake
