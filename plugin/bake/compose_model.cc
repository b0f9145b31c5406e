#include "plugin/bake/compose_model.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/plan/git_url.h"

namespace depot::bake {
namespace {

using Kind = Yaml::Kind;

Yaml TextNode(std::string text, const Yaml& at) {
  Yaml node;
  node.kind = Kind::kText;
  node.text = std::move(text);
  node.quoted = true;
  node.line = at.line;
  return node;
}

Yaml NullNode(const Yaml& at) {
  Yaml node;
  node.line = at.line;
  return node;
}

Yaml EmptyMap(const Yaml& at) {
  Yaml node = NullNode(at);
  node.kind = Kind::kMap;
  return node;
}

/// A list of NAME=VALUE becomes a map, where a name alone gets null or an empty text. `colon`:
/// NAME:VALUE is one too, and a name may have several values.
Result<> ToMap(Yaml& parent, std::string_view key, bool colon, bool alone_is_empty) {
  Yaml* node = FindKey(parent, key);
  if (node == nullptr || node->kind == Kind::kNull || node->kind == Kind::kMap) return {};
  if (node->kind != Kind::kList) {
    return Fail(BadCompose(*node, Cat(key, " must be a map or a list")));
  }
  Yaml map = EmptyMap(*node);
  map.tag = node->tag;
  for (const Yaml& item : node->items) {
    if (item.kind != Kind::kText)
      return Fail(BadCompose(item, Cat(key, " must be a list of texts")));
    std::size_t sign = item.text.find('=');
    if (sign == std::string::npos && colon) sign = item.text.find(':');
    Yaml value = sign == std::string::npos ? (alone_is_empty ? TextNode("", item) : NullNode(item))
                                           : TextNode(item.text.substr(sign + 1), item);
    const std::string name = item.text.substr(0, sign);
    Yaml* there = FindKey(map, name);
    if (there != nullptr && colon) {
      there->text += Cat(',', value.text);
    } else if (there != nullptr) {
      *there = std::move(value);
    } else {
      map.keys.emplace_back(name, std::move(value));
    }
  }
  *node = std::move(map);
  return {};
}

/// A text becomes a map with it under `name`.
void TextToMap(Yaml& node, std::string_view name) {
  if (node.kind != Kind::kText) return;
  Yaml map = EmptyMap(node);
  map.keys.emplace_back(std::string(name), TextNode(node.text, node));
  node = std::move(map);
}

Result<> ToListOfMaps(Yaml& parent, std::string_view key, std::string_view name) {
  Yaml* node = FindKey(parent, key);
  if (node == nullptr || node->kind == Kind::kNull) return {};
  if (node->kind == Kind::kText) {
    Yaml list = NullNode(*node);
    list.kind = Kind::kList;
    list.items.push_back(std::move(*node));
    *node = std::move(list);
  }
  if (node->kind != Kind::kList) return Fail(BadCompose(*node, Cat(key, " must be a list")));
  for (Yaml& item : node->items) {
    TextToMap(item, name);
    if (item.kind != Kind::kMap) {
      return Fail(BadCompose(item, Cat(key, " must be a list of texts or maps")));
    }
  }
  return {};
}

Result<> NeedList(Yaml& parent, std::string_view key) {
  const Yaml* node = parent.Find(key);
  if (node == nullptr || node->kind == Kind::kNull || node->kind == Kind::kList) return {};
  return Fail(BadCompose(*node, Cat(key, " must be a list")));
}

Result<> CheckBuildKeys(const Yaml& build) {
  static const std::vector<std::string_view> known = {"additional_contexts",
                                                      "args",
                                                      "cache_from",
                                                      "cache_to",
                                                      "context",
                                                      "dockerfile",
                                                      "dockerfile_inline",
                                                      "entitlements",
                                                      "extra_hosts",
                                                      "isolation",
                                                      "labels",
                                                      "network",
                                                      "no_cache",
                                                      "no_cache_filter",
                                                      "platforms",
                                                      "privileged",
                                                      "provenance",
                                                      "pull",
                                                      "sbom",
                                                      "secrets",
                                                      "shm_size",
                                                      "ssh",
                                                      "tags",
                                                      "target",
                                                      "ulimits",
                                                      "cgroup"};
  for (const auto& [key, value] : build.keys) {
    if (key.starts_with("x-") || std::find(known.begin(), known.end(), key) != known.end())
      continue;
    const std::string_view near = Nearest(key, known);
    return Fail(BadCompose(value, Cat("build has no \"", Printable(key), '"',
                                      near.empty() ? "" : Cat(", did you mean ", near, "?"))));
  }
  return {};
}

Result<> NormalizeBuild(Yaml& build) {
  TextToMap(build, "context");
  if (build.kind == Kind::kNull) return {};
  if (build.kind != Kind::kMap) return Fail(BadCompose(build, "build must be a path or a map"));
  TRY(CheckBuildKeys(build));
  TRY(ToMap(build, "args", false, false));
  TRY(ToMap(build, "labels", false, true));
  TRY(ToMap(build, "additional_contexts", false, true));
  TRY(ToMap(build, "extra_hosts", true, true));
  TRY(ToMap(build, "ssh", false, false));
  TRY(ToListOfMaps(build, "secrets", "source"));
  for (const char* list : {"tags", "platforms", "cache_from", "cache_to", "no_cache_filter"})
    TRY(NeedList(build, list));
  return {};
}

Result<> NormalizeService(Yaml& service) {
  if (Yaml* build = FindKey(service, "build")) TRY(NormalizeBuild(*build));
  if (Yaml* extends = FindKey(service, "extends")) TextToMap(*extends, "service");
  TRY(ToMap(service, "environment", false, false));
  return ToListOfMaps(service, "env_file", "path");
}

bool IsTexts(const Yaml& list) {
  return std::all_of(list.items.begin(), list.items.end(),
                     [](const Yaml& item) { return item.kind == Kind::kText; });
}

std::string Rebased(const std::string& folder, const std::string& path) {
  if (!IsLocalPath(path) || path.starts_with('/')) return path;
  return CleanPath(Cat(folder, '/', path));
}

void RebaseText(Yaml* node, const std::string& folder) {
  if (node != nullptr && node->kind == Kind::kText) node->text = Rebased(folder, node->text);
}

/// Digits of `base`, with underscores between them.
std::optional<std::int64_t> WholeNumber(std::string_view text, int base) {
  std::string digits(text);
  std::erase(digits, '_');
  std::int64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> YamlInteger(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || text.front() == '-' || text.front() == '_') return std::nullopt;
  int base = 10;
  if (text.starts_with("0x")) base = 16;
  if (text.starts_with("0o")) base = 8;
  if (text.starts_with("0b")) base = 2;
  if (base != 10) {
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.front() == '0') {
    base = 8;
  }
  const std::optional<std::int64_t> value = WholeNumber(text, base);
  if (!value) return std::nullopt;
  return negative ? -*value : *value;
}

std::optional<std::string> YamlFloat(std::string_view text) {
  if (text.find_first_not_of("0123456789+-.eE_") != std::string_view::npos) return std::nullopt;
  if (text.find_first_of("0123456789") == std::string_view::npos) return std::nullopt;
  std::string digits(text.substr(text.starts_with('+') ? 1 : 0));
  std::erase(digits, '_');
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  // As Go's %v: an exponent from 1e21 on, and below 1e-4.
  const double size = std::fabs(value);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e21);
  char out[64];
  const auto written =
      std::to_chars(out, out + sizeof out, value,
                    plain ? std::chars_format::fixed : std::chars_format::scientific);
  return std::string(out, written.ptr);
}

void MergeMap(Yaml& into, const Yaml& later) {
  for (const auto& [key, value] : later.keys) {
    Yaml* there = FindKey(into, key);
    if (value.tag == "!reset") {
      std::erase_if(into.keys, [&name = key](const auto& entry) { return entry.first == name; });
    } else if (there == nullptr) {
      into.keys.emplace_back(key, value);
    } else {
      MergeTree(*there, value);
    }
  }
}

/// A text that is there already is not added again.
void MergeList(Yaml& into, const Yaml& later) {
  const bool texts = IsTexts(into);
  for (const Yaml& item : later.items) {
    const bool there = texts && item.kind == Kind::kText &&
                       std::any_of(into.items.begin(), into.items.end(),
                                   [&](const Yaml& earlier) { return earlier.text == item.text; });
    if (!there) into.items.push_back(item);
  }
}

}  // namespace

Yaml* FindKey(Yaml& map, std::string_view key) {
  auto found = std::find_if(map.keys.begin(), map.keys.end(),
                            [&](const auto& entry) { return entry.first == key; });
  return found == map.keys.end() ? nullptr : &found->second;
}

const Yaml* Said(const Yaml& map, std::string_view key) {
  const Yaml* node = map.Find(key);
  return node == nullptr || node->kind == Kind::kNull ? nullptr : node;
}

Error BadCompose(const Yaml& node, std::string_view what) {
  return Error(ErrorCode::kInvalid, Cat("line ", node.line, ": ", what));
}

bool IsLocalPath(const std::string& path) {
  if (path.starts_with("target:") || path.starts_with("service:")) return false;
  return path.find("://") == std::string::npos && !plan::IsRemoteContext(path);
}

Result<> InterpolateTree(Yaml& node, const Lookup& lookup) {
  if (node.kind == Kind::kText && node.text.find('$') != std::string::npos) {
    auto text = Interpolate(node.text, lookup);
    if (!text) return Fail(std::move(text).error().While(Cat("line ", node.line)));
    node.text = *std::move(text);
    node.quoted = true;
  }
  for (Yaml& item : node.items)
    TRY(InterpolateTree(item, lookup));
  for (auto& [key, value] : node.keys)
    TRY(InterpolateTree(value, lookup));
  return {};
}

Result<> NormalizeFile(Yaml& file) {
  static constexpr std::array<std::string_view, 9> kKnown = {"version",  "name",    "services",
                                                             "networks", "volumes", "secrets",
                                                             "configs",  "include", "models"};
  if (file.kind != Kind::kMap) return Fail(BadCompose(file, "a compose file is a map"));
  for (const auto& [key, value] : file.keys) {
    if (key.starts_with("x-") || std::find(kKnown.begin(), kKnown.end(), key) != kKnown.end())
      continue;
    return Fail(BadCompose(value, Cat("a compose file has no \"", Printable(key), '"')));
  }
  TRY(ToListOfMaps(file, "include", "path"));
  for (const char* section : {"services", "secrets"}) {
    Yaml* map = FindKey(file, section);
    if (map == nullptr || map->kind == Kind::kNull) continue;
    if (map->kind != Kind::kMap) return Fail(BadCompose(*map, Cat(section, " must be a map")));
    for (auto& [name, value] : map->keys) {
      if (value.kind != Kind::kMap) {
        return Fail(BadCompose(value, Cat(section, ": ", Printable(name), " must be a map")));
      }
      if (section != std::string_view("services")) continue;
      Result<> normalized = NormalizeService(value);
      if (!normalized) {
        return Fail(std::move(normalized).error().While(Cat("service ", Printable(name))));
      }
    }
  }
  return {};
}

void MergeTree(Yaml& into, const Yaml& later) {
  if (later.tag == "!override" || into.kind != later.kind) {
    into = later;
    into.tag.clear();
  } else if (into.kind == Kind::kMap) {
    MergeMap(into, later);
  } else if (into.kind == Kind::kList) {
    MergeList(into, later);
  } else {
    into = later;
  }
}

void RebaseService(Yaml& service, const std::string& folder) {
  if (folder.empty() || folder == ".") return;
  if (Yaml* build = FindKey(service, "build"); build != nullptr && build->kind == Kind::kMap) {
    RebaseText(FindKey(*build, "context"), folder);
    if (Yaml* contexts = FindKey(*build, "additional_contexts")) {
      for (auto& [name, value] : contexts->keys)
        RebaseText(&value, folder);
    }
  }
  if (Yaml* files = FindKey(service, "env_file")) {
    for (Yaml& file : files->items)
      RebaseText(FindKey(file, "path"), folder);
  }
  if (Yaml* extends = FindKey(service, "extends")) RebaseText(FindKey(*extends, "file"), folder);
}

void RebaseFile(Yaml& file, const std::string& folder) {
  if (folder.empty() || folder == ".") return;
  if (Yaml* services = FindKey(file, "services")) {
    for (auto& [name, service] : services->keys)
      RebaseService(service, folder);
  }
  if (Yaml* secrets = FindKey(file, "secrets")) {
    for (auto& [name, secret] : secrets->keys)
      RebaseText(FindKey(secret, "file"), folder);
  }
}

std::string ScalarText(const Yaml& node) {
  if (node.quoted) return node.text;
  if (node.text == "True" || node.text == "TRUE") return "true";
  if (node.text == "False" || node.text == "FALSE") return "false";
  if (const std::optional<std::int64_t> whole = YamlInteger(node.text)) return Cat(*whole);
  return YamlFloat(node.text).value_or(node.text);
}

}  // namespace depot::bake
