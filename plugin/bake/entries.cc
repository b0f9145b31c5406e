#include "plugin/bake/entries.h"

#include <algorithm>
#include <optional>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/options/attributes.h"

namespace depot::bake {
namespace {

Error BadEntry(std::string message) {
  return Error(ErrorCode::kInvalid, std::move(message));
}

/// `lower`: keys may have letters of both cases.
Result<Entry> ReadPairs(const Strings& fields, bool lower, std::string_view what) {
  Entry entry;
  for (const std::string& field : fields) {
    const std::size_t sign = field.find('=');
    if (sign == std::string::npos) {
      return Fail(BadEntry(
          Cat("invalid ", what, " field \"", Printable(field), "\": it is no key=value pair")));
    }
    const std::string key(Trim(std::string_view(field).substr(0, sign)));
    entry[lower ? LowerAscii(key) : key] = field.substr(sign + 1);
  }
  return entry;
}

Result<Strings> SplitFields(std::string_view text, std::string_view what) {
  auto fields = options::SplitRecord(text);
  if (fields) return fields;
  return Fail(BadEntry(Cat(what, ": ", fields.error().message())));
}

std::string Take(Entry& entry, const std::string& key) {
  auto found = entry.find(key);
  if (found == entry.end()) return "";
  std::string value = std::move(found->second);
  entry.erase(found);
  return value;
}

Result<Entry> NeedType(Entry entry, std::string_view what) {
  if (auto type = entry.find("type"); type != entry.end() && !type->second.empty()) return entry;
  return Fail(BadEntry(Cat("type is required for ", what)));
}

}  // namespace

Result<Entry> CheckCache(Entry members) {
  return NeedType(std::move(members), "a cache");
}

Result<Entry> CheckOutput(Entry members) {
  return NeedType(std::move(members), "an output");
}

Result<Entry> CheckSecret(Entry members) {
  Entry secret;
  const std::string type = Take(members, "type");
  secret["id"] = Take(members, "id");
  std::string file = Take(members, "src");
  if (std::string source = Take(members, "source"); !source.empty()) file = std::move(source);
  std::string variable = Take(members, "env");
  if (!members.empty()) {
    return Fail(
        BadEntry(Cat("unexpected key \"", Printable(members.begin()->first), "\" in a secret")));
  }
  if (secret["id"].empty()) return Fail(BadEntry("a secret needs an id"));
  if (!type.empty() && type != "file" && type != "env") {
    return Fail(BadEntry(Cat("unsupported secret type \"", Printable(type), '"')));
  }
  if (type == "env" && variable.empty()) variable.swap(file);
  if (!file.empty()) secret["src"] = std::move(file);
  if (!variable.empty()) secret["env"] = std::move(variable);
  return secret;
}

Result<Entry> CheckAttest(Entry members) {
  auto disabled = members.find("disabled");
  if (disabled != members.end()) {
    const std::optional<bool> off = ParseBool(disabled->second);
    if (!off) {
      return Fail(BadEntry(Cat("invalid value \"", Printable(disabled->second),
                               "\" for disabled of an attestation")));
    }
    if (*off) {
      disabled->second = "true";
    } else {
      members.erase(disabled);
    }
  }
  return NeedType(std::move(members), "an attestation");
}

Result<Entries> ParseCaches(std::string_view text) {
  if (text.empty()) return Entries{};
  TRY_ASSIGN(Strings fields, SplitFields(text, "cache"));
  const bool names = std::none_of(fields.begin(), fields.end(), [](const std::string& field) {
    return field.find('=') != std::string::npos;
  });
  Entries entries;
  if (names) {
    for (std::string& field : fields)
      entries.push_back({{"type", "registry"}, {"ref", std::move(field)}});
    return entries;
  }
  TRY_ASSIGN(Entry entry, ReadPairs(fields, true, "cache"));
  TRY_ASSIGN(entry, CheckCache(std::move(entry)));
  entries.push_back(std::move(entry));
  return entries;
}

Result<Entries> ParseOutputs(std::string_view text) {
  if (text.empty()) return Entries{};
  if (text == "-") return Entries{{{"type", "tar"}, {"dest", "-"}}};
  TRY_ASSIGN(Strings fields, SplitFields(text, "output"));
  if (fields.size() == 1 && fields[0] == text && !text.starts_with("type=")) {
    return Entries{{{"type", "local"}, {"dest", std::string(text)}}};
  }
  TRY_ASSIGN(Entry entry, ReadPairs(fields, true, "output"));
  TRY_ASSIGN(entry, CheckOutput(std::move(entry)));
  return Entries{std::move(entry)};
}

Result<Entries> ParseSecrets(std::string_view text) {
  if (text.empty()) return Entries{};
  TRY_ASSIGN(Strings fields, SplitFields(text, "secret"));
  TRY_ASSIGN(Entry entry, ReadPairs(fields, true, "secret"));
  TRY_ASSIGN(entry, CheckSecret(std::move(entry)));
  return Entries{std::move(entry)};
}

Result<Entries> ParseAttests(std::string_view text) {
  if (text.empty()) return Entries{};
  TRY_ASSIGN(Strings fields, SplitFields(text, "attest"));
  TRY_ASSIGN(Entry entry, ReadPairs(fields, false, "attestation"));
  TRY_ASSIGN(entry, CheckAttest(std::move(entry)));
  return Entries{std::move(entry)};
}

Result<> ParseEach(const Strings& texts, ParseEntries parse, Entries& into) {
  for (const std::string& text : texts) {
    TRY_ASSIGN(const Entries entries, parse(text));
    into.insert(into.end(), entries.begin(), entries.end());
  }
  return {};
}

std::string AttestOf(std::string_view type, std::string_view value) {
  if (const std::optional<bool> on = ParseBool(value)) {
    return Cat("type=", type, ",disabled=", *on ? "false" : "true");
  }
  return Cat("type=", type, ",", value);
}

std::vector<SshEntry> ParseSshEntries(std::string_view text) {
  if (text.empty()) return {};
  const std::size_t sign = text.find('=');
  SshEntry entry{std::string(text.substr(0, sign)), {}};
  if (sign != std::string_view::npos) {
    for (std::string_view path : Split(text.substr(sign + 1), ','))
      entry.paths.emplace_back(path);
  }
  return {std::move(entry)};
}

std::string FormatRecord(const Entry& entry, const std::string& first) {
  Strings fields;
  auto add = [&](const std::string& key, const std::string& value) {
    std::string field = Cat(key, '=', value);
    if (field.find_first_of(",\"\r\n") != std::string::npos || field != Trim(field)) {
      std::string quoted = "\"";
      for (char c : field)
        quoted.append(c == '"' ? 2 : 1, c);
      field = quoted + '"';
    }
    fields.push_back(std::move(field));
  };
  if (auto found = entry.find(first); found != entry.end()) add(first, found->second);
  for (const auto& [key, value] : entry)
    if (key != first) add(key, value);
  return Join(fields, ",");
}

}  // namespace depot::bake
