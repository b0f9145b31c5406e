#include "plugin/bake/compose_service.h"

#include <algorithm>
#include <cstdio>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/bake/compose_model.h"
#include "plugin/bake/definition.h"
#include "plugin/bake/entries.h"
#include "plugin/options/limit_flags.h"

namespace depot::bake {
namespace {

using Kind = Yaml::Kind;

Result<> ReadText(const Yaml& map, std::string_view key, std::optional<std::string>& into) {
  const Yaml* node = Said(map, key);
  if (node == nullptr) return {};
  if (node->kind != Kind::kText) return Fail(BadCompose(*node, Cat(key, " must be a text")));
  into = node->text;
  return {};
}

Result<> ReadSwitch(const Yaml& map, std::string_view key, std::optional<bool>& into) {
  const Yaml* node = Said(map, key);
  if (node == nullptr) return {};
  into = ParseBool(node->text);
  if (into) return {};
  return Fail(BadCompose(*node, Cat(key, " is true or false")));
}

/// A list; in x-bake also one text with blanks between its parts.
Result<Strings> ReadList(const Yaml& map, std::string_view key, bool blanks) {
  const Yaml* node = Said(map, key);
  Strings list;
  if (node == nullptr) return list;
  if (blanks && node->kind == Kind::kText) {
    for (std::string_view part : Split(node->text, ' '))
      if (!part.empty()) list.emplace_back(part);
    return list;
  }
  if (node->kind != Kind::kList) return Fail(BadCompose(*node, Cat(key, " must be a list")));
  for (const Yaml& item : node->items) {
    if (item.kind != Kind::kText) {
      return Fail(BadCompose(item, Cat(key, " must be a list of texts")));
    }
    list.push_back(ScalarText(item));
  }
  return list;
}

Result<> ReadMap(const Yaml& map, std::string_view key, StringMap& into) {
  const Yaml* node = Said(map, key);
  if (node == nullptr) return {};
  for (const auto& [name, value] : node->keys) {
    if (value.kind == Kind::kList || value.kind == Kind::kMap) {
      return Fail(BadCompose(value, Cat(key, ": ", Printable(name), " must be a text")));
    }
    into[name] = ScalarText(value);
  }
  return {};
}

void AppendTexts(Strings& into, const Strings& more) {
  into.insert(into.end(), more.begin(), more.end());
}

/// What an argument without a value is, as the service's own container would see it.
Result<Environment> ServiceEnvironment(const Yaml& service, const ComposeFiles& files) {
  Environment environment;
  if (const Yaml* list = Said(service, "env_file")) {
    for (const Yaml& entry : list->items) {
      const Yaml* path = entry.Find("path");
      const Yaml* required = entry.Find("required");
      const bool needed = required == nullptr || required->text != "false";
      if (path == nullptr) continue;
      TRY_ASSIGN(const Environment read, files.ReadEnvFile(path->text, needed));
      for (const auto& [name, value] : read)
        environment[name] = value;
    }
  }
  const Yaml* own = Said(service, "environment");
  if (own == nullptr) return environment;
  for (const auto& [name, value] : own->keys)
    if (value.kind == Kind::kText) environment[name] = ScalarText(value);
  return environment;
}

Result<> ReadArgs(const Yaml& service, const Yaml& build, const ComposeFiles& files, Fields& into) {
  const Yaml* args = Said(build, "args");
  if (args == nullptr) return {};
  TRY_ASSIGN(const Environment environment, ServiceEnvironment(service, files));
  for (const auto& [name, value] : args->keys) {
    if (value.kind == Kind::kText) {
      into.args[name] = ScalarText(value);
    } else if (value.kind != Kind::kNull) {
      return Fail(BadCompose(value, Cat("args: ", Printable(name), " must be a text")));
    } else if (auto own = environment.find(name); own != environment.end()) {
      into.args[name] = own->second;
    } else if (auto found = files.Find(name)) {
      into.args[name] = *found;
    }
  }
  return {};
}

std::string ContextValue(const std::string& value) {
  for (std::string_view link : {"service:", "target:"}) {
    if (!value.starts_with(link)) continue;
    return Cat("target:", AsTargetName(value.substr(link.size())));
  }
  return IsLocalPath(value) && !value.empty() ? CleanPath(value) : value;
}

Result<Entry> SecretOf(const std::string& source, const Yaml& at, const Yaml& file) {
  const Yaml* all = file.Find("secrets");
  const Yaml* secret = all == nullptr ? nullptr : all->Find(source);
  if (secret == nullptr) {
    return Fail(BadCompose(at, Cat("the secret \"", Printable(source), "\" is not defined")));
  }
  if (const Yaml* external = Said(*secret, "external");
      external != nullptr && external->text != "false") {
    return Fail(BadCompose(*secret, Cat("the secret \"", Printable(source),
                                        "\" is external, which a build cannot read")));
  }
  Entry entry{{"id", source}};
  if (const Yaml* path = Said(*secret, "file")) entry["src"] = CleanPath(path->text);
  if (const Yaml* variable = Said(*secret, "environment")) entry["env"] = variable->text;
  return entry;
}

Result<> ReadSecrets(const Yaml& build, const Yaml& file, Fields& into) {
  const Yaml* list = Said(build, "secrets");
  if (list == nullptr) return {};
  for (const Yaml& item : list->items) {
    const Yaml* source = item.Find("source");
    if (source == nullptr) return Fail(BadCompose(item, "a secret needs a source"));
    TRY_ASSIGN(Entry entry, SecretOf(source->text, item, file));
    into.secret.push_back(std::move(entry));
  }
  return {};
}

void ReadSshMap(const Yaml& build, Fields& into) {
  const Yaml* map = Said(build, "ssh");
  if (map == nullptr) return;
  for (const auto& [id, path] : map->keys) {
    SshEntry entry{id, {}};
    if (path.kind == Kind::kText && !path.text.empty()) entry.paths.push_back(path.text);
    into.ssh.push_back(std::move(entry));
  }
  std::sort(into.ssh.begin(), into.ssh.end(),
            [](const SshEntry& left, const SshEntry& right) { return left.id < right.id; });
}

/// As docker writes sizes: 128MiB (docker/go-units, BytesSize).
std::string SizeText(std::int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 1024 && unit + 1 < std::size(kUnits); ++unit)
    size /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, "%.4g%s", size, kUnits[unit]);
  return text;
}

Result<> ReadSize(const Yaml& build, Fields& into) {
  const Yaml* node = Said(build, "shm_size");
  if (node == nullptr) return {};
  auto size = options::ParseSize(ScalarText(*node));
  if (!size) return Fail(BadCompose(*node, Cat("shm_size: ", size.error().message())));
  into.shm_size = SizeText(*size);
  return {};
}

Result<> ReadUlimits(const Yaml& build, Fields& into) {
  const Yaml* map = Said(build, "ulimits");
  if (map == nullptr) return {};
  for (const auto& [name, limit] : map->keys) {
    std::string soft = ScalarText(limit);
    std::string hard = soft;
    if (limit.kind == Kind::kMap) {
      const Yaml* low = limit.Find("soft");
      const Yaml* high = limit.Find("hard");
      if (low == nullptr || high == nullptr) {
        return Fail(BadCompose(limit, "a ulimit has soft and hard"));
      }
      soft = ScalarText(*low);
      hard = ScalarText(*high);
    }
    into.ulimits.push_back(Cat(name, '=', soft, ':', hard));
  }
  std::sort(into.ulimits.begin(), into.ulimits.end());
  return {};
}

Result<> ReadAttests(const Yaml& build, Fields& into) {
  for (const char* type : {"sbom", "provenance"}) {
    const Yaml* node = Said(build, type);
    if (node == nullptr) continue;
    if (node->kind != Kind::kText) return Fail(BadCompose(*node, Cat(type, " must be a text")));
    TRY_ASSIGN(const Entries entries, ParseAttests(AttestOf(type, node->text)));
    into.attest.insert(into.attest.end(), entries.begin(), entries.end());
  }
  return {};
}

/// ParseEach() into an optional list, which is there when something was said.
Result<> ParseEachIfSaid(const Strings& texts, ParseEntries parse, std::optional<Entries>& into) {
  if (texts.empty()) return {};
  if (!into) into.emplace();
  return ParseEach(texts, parse, *into);
}

Result<> AppendList(const Yaml& map,
                    std::string_view key,
                    bool blanks,
                    std::optional<Strings>& into) {
  TRY_ASSIGN(const Strings list, ReadList(map, key, blanks));
  if (list.empty()) return {};
  if (!into) into.emplace();
  AppendTexts(*into, list);
  return {};
}

Result<> ReadCaches(const Yaml& map, bool extension, Fields& into) {
  TRY_ASSIGN(const Strings from, ReadList(map, extension ? "cache-from" : "cache_from", extension));
  TRY_ASSIGN(const Strings to, ReadList(map, extension ? "cache-to" : "cache_to", extension));
  TRY_ASSIGN(const Strings filter,
             ReadList(map, extension ? "no-cache-filter" : "no_cache_filter", extension));
  TRY(ParseEach(from, ParseCaches, into.cache_from));
  TRY(ParseEachIfSaid(to, ParseCaches, into.cache_to));
  AppendTexts(into.no_cache_filter, filter);
  return {};
}

/// `x-bake` adds to what compose itself says.
Result<> ReadExtension(const Yaml& build, Fields& into) {
  const Yaml* bake = Said(build, "x-bake");
  if (bake == nullptr) return {};
  if (bake->kind != Kind::kMap) return Fail(BadCompose(*bake, "x-bake must be a map"));
  TRY(AppendList(*bake, "tags", true, into.tags));
  TRY(AppendList(*bake, "platforms", true, into.platforms));
  TRY(ReadCaches(*bake, true, into));
  TRY_ASSIGN(const Strings secrets, ReadList(*bake, "secret", true));
  TRY_ASSIGN(const Strings outputs, ReadList(*bake, "output", true));
  TRY_ASSIGN(const Strings ssh, ReadList(*bake, "ssh", true));
  TRY(ParseEach(secrets, ParseSecrets, into.secret));
  TRY(ParseEachIfSaid(outputs, ParseOutputs, into.output));
  for (const std::string& text : ssh)
    for (SshEntry& entry : ParseSshEntries(text))
      into.ssh.push_back(std::move(entry));
  TRY(ReadSwitch(*bake, "pull", into.pull));
  TRY(ReadSwitch(*bake, "no-cache", into.no_cache));
  StringMap contexts;
  TRY(ReadMap(*bake, "contexts", contexts));
  into.contexts.merge(contexts);
  return {};
}

Result<> ReadTexts(const Yaml& build, Fields& into) {
  TRY(ReadText(build, "context", into.context));
  TRY(ReadText(build, "dockerfile", into.dockerfile));
  TRY(ReadText(build, "dockerfile_inline", into.dockerfile_inline));
  TRY(ReadText(build, "target", into.target));
  TRY(ReadText(build, "network", into.network));
  TRY(ReadSwitch(build, "pull", into.pull));
  TRY(ReadSwitch(build, "no_cache", into.no_cache));
  const Yaml* depot = Said(build, "x-depot");
  return depot == nullptr ? Result<>() : ReadText(*depot, "project-id", into.project);
}

}  // namespace

Result<Fields> FieldsOfService(const Yaml& service, const Yaml& file, const ComposeFiles& files) {
  const Yaml& build = *service.Find("build");
  Fields fields;
  TRY(ReadTexts(build, fields));
  TRY(ReadArgs(service, build, files, fields));
  TRY(ReadMap(build, "labels", fields.labels));
  TRY(ReadMap(build, "extra_hosts", fields.extra_hosts));
  TRY(ReadMap(build, "additional_contexts", fields.contexts));
  for (auto& [name, value] : fields.contexts)
    value = ContextValue(value);
  TRY(AppendList(build, "platforms", false, fields.platforms));
  TRY(AppendList(build, "tags", false, fields.tags));
  TRY(ReadCaches(build, false, fields));
  TRY(ReadSecrets(build, file, fields));
  ReadSshMap(build, fields);
  TRY(ReadSize(build, fields));
  TRY(ReadUlimits(build, fields));
  TRY(ReadAttests(build, fields));
  TRY(ReadExtension(build, fields));
  std::optional<std::string> image;
  TRY(ReadText(service, "image", image));
  if (!fields.tags && image) fields.tags = Strings{*image};
  return fields;
}

}  // namespace depot::bake
