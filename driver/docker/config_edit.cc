#include "driver/docker/config_edit.h"

#include <vector>

#include "driver/base/json.h"
#include "driver/base/text.h"

namespace depot::docker {
namespace {

constexpr std::string_view kAliases = "aliases";
constexpr std::string_view kBlanks = " \t\r\n";

/// Where a member of an object stands in the text, as offsets.
struct MemberSpan {
  std::size_t key = 0;  ///< its opening quote
  std::size_t value = 0;
  std::size_t end = 0;  ///< behind the value
  std::string name;
};

/// An object in the text, which is known to be valid JSON.
struct ObjectSpan {
  std::size_t open = 0;   ///< its brace
  std::size_t close = 0;  ///< the other one
  std::vector<MemberSpan> members;
};

std::size_t SkipBlanks(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(kBlanks, at), text.size());
}

std::size_t SkipString(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return std::min(at + 1, text.size());
}

std::size_t SkipValue(std::string_view text, std::size_t at) {
  int depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = SkipString(text, at);
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at;
    } else if (depth > 0 && (c == '}' || c == ']')) {
      --depth;
      ++at;
    } else if (depth == 0) {
      // A number, true, false or null.
      return std::min(text.find_first_of(" \t\r\n,}]", at), text.size());
    } else {
      ++at;
    }
    if (depth == 0) return at;
  }
  return at;
}

ObjectSpan ReadObject(std::string_view text, std::size_t open) {
  ObjectSpan object;
  object.open = open;
  std::size_t at = SkipBlanks(text, open + 1);
  while (at < text.size() && text[at] == '"') {
    MemberSpan member;
    member.key = at;
    at = SkipString(text, at);
    Result<Json> name = Json::Parse(text.substr(member.key, at - member.key));
    member.name = name ? name->AsString() : "";
    at = SkipBlanks(text, SkipBlanks(text, at) + 1);
    member.value = at;
    member.end = at = SkipValue(text, at);
    at = SkipBlanks(text, at);
    object.members.push_back(std::move(member));
    if (at < text.size() && text[at] == ',') at = SkipBlanks(text, at + 1);
  }
  object.close = at;
  return object;
}

/// Its index, or the number of members. Of two the last one counts, as for Docker.
std::size_t Find(const ObjectSpan& object, std::string_view name) {
  for (std::size_t i = object.members.size(); i-- > 0;)
    if (object.members[i].name == name) return i;
  return object.members.size();
}

/// The text with a member more, behind the others and on a line like theirs.
std::string Insert(std::string_view text, const ObjectSpan& object, std::string_view member) {
  if (object.members.empty()) {
    return Cat(text.substr(0, object.open + 1), "\n\t", member, '\n', text.substr(object.close));
  }
  const MemberSpan& last = object.members.back();
  const std::size_t blanks = text.find_last_not_of(kBlanks, last.key - 1) + 1;
  return Cat(text.substr(0, last.end), ',', text.substr(blanks, last.key - blanks), member,
             text.substr(last.end));
}

std::string Remove(std::string_view text, const ObjectSpan& object, std::size_t index) {
  if (object.members.size() == 1) {
    return Cat(text.substr(0, object.open + 1), text.substr(object.close));
  }
  const MemberSpan& member = object.members[index];
  if (index > 0) return Cat(text.substr(0, object.members[index - 1].end), text.substr(member.end));
  return Cat(text.substr(0, member.key), text.substr(object.members[1].key));
}

Result<Json> ReadConfig(std::string_view text) {
  TRY_ASSIGN(Json config, Json::Parse(text));
  if (!config.is_object()) return Fail(ErrorCode::kInvalid, "it is no JSON object");
  const Json::Type type = config[kAliases].type();
  if (type != Json::Type::kObject && type != Json::Type::kNull) {
    return Fail(ErrorCode::kInvalid, "\"aliases\" is no JSON object");
  }
  return config;
}

std::string WithoutAlias(std::string_view text, const ObjectSpan& root, std::string_view name) {
  const std::size_t at = Find(root, kAliases);
  if (at == root.members.size() || text[root.members[at].value] != '{') return std::string(text);
  const ObjectSpan aliases = ReadObject(text, root.members[at].value);
  const std::size_t alias = Find(aliases, name);
  if (alias == aliases.members.size()) return std::string(text);
  if (aliases.members.size() == 1) return Remove(text, root, at);
  return Remove(text, aliases, alias);
}

}  // namespace

Result<std::string> WithAlias(std::string_view text,
                              std::string_view name,
                              const std::optional<std::string>& command) {
  if (Trim(text).empty()) text = "{}\n";
  TRY(ReadConfig(text));
  const ObjectSpan root = ReadObject(text, SkipBlanks(text, 0));
  if (!command) return WithoutAlias(text, root, name);
  const std::string member = Cat(Json::String(name).Dump(), ": ", Json::String(*command).Dump());
  const std::size_t at = Find(root, kAliases);
  if (at == root.members.size()) return Insert(text, root, Cat("\"aliases\": {", member, "}"));
  const MemberSpan& old = root.members[at];
  if (text[old.value] != '{') {
    return Cat(text.substr(0, old.value), "{", member, "}", text.substr(old.end));
  }
  const ObjectSpan aliases = ReadObject(text, old.value);
  const std::size_t alias = Find(aliases, name);
  if (alias == aliases.members.size()) return Insert(text, aliases, member);
  return Cat(text.substr(0, aliases.members[alias].key), member,
             text.substr(aliases.members[alias].end));
}

Result<std::optional<std::string>> AliasOf(std::string_view text, std::string_view name) {
  if (Trim(text).empty()) return std::nullopt;
  TRY_ASSIGN(const Json config, ReadConfig(text));
  const Json alias = config[kAliases][name];
  if (alias.type() == Json::Type::kNull) return std::nullopt;
  if (!alias.is_string()) {
    return Fail(ErrorCode::kInvalid, Cat("the alias \"", name, "\" is no text"));
  }
  return alias.AsString();
}

}  // namespace depot::docker
