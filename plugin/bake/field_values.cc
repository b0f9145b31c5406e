#include "plugin/bake/field_values.h"

#include <functional>
#include <map>

#include "driver/base/text.h"
#include "plugin/bake/entries.h"

namespace depot::bake {
namespace {

using hcl::Type;
using hcl::Value;

/// How a field is read from a value that is not null, and what references see of it.
struct FieldKind {
  std::function<Result<>(const hcl::Attribute&, const hcl::Scope&, Fields&)> read;
  std::function<Value(const Fields&)> show;
};

Value ListOf(const Strings& texts) {
  hcl::Elements elements;
  for (const std::string& text : texts)
    elements.push_back(Value::String(text));
  return Value::List(std::move(elements));
}

Value MapOf(const StringMap& map) {
  hcl::Members members;
  for (const auto& [key, value] : map)
    members.emplace(key, Value::String(value));
  return Value::Map(std::move(members));
}

FieldKind TextField(std::optional<std::string> Fields::*field) {
  return {
      [field](const hcl::Attribute& attribute, const hcl::Scope& scope, Fields& into) -> Result<> {
        TRY_ASSIGN(const Value value,
                   hcl::EvaluateAs(attribute.value, Type::Of(Type::Kind::kString), scope));
        if (!value.is_null()) into.*field = value.AsString();
        return {};
      },
      [field](const Fields& from) {
        return from.*field ? Value::String(*(from.*field)) : Value();
      }};
}

FieldKind SwitchField(std::optional<bool> Fields::*field) {
  return {
      [field](const hcl::Attribute& attribute, const hcl::Scope& scope, Fields& into) -> Result<> {
        TRY_ASSIGN(const Value value,
                   hcl::EvaluateAs(attribute.value, Type::Of(Type::Kind::kBool), scope));
        if (!value.is_null()) into.*field = value.AsBool();
        return {};
      },
      [field](const Fields& from) { return from.*field ? Value::Bool(*(from.*field)) : Value(); }};
}

/// nullopt: null.
Result<std::optional<Strings>> TextsAt(const hcl::Attribute& attribute, const hcl::Scope& scope) {
  static const Type list = Type::Of(Type::Kind::kList, Type::Of(Type::Kind::kString));
  TRY_ASSIGN(const Value value, hcl::EvaluateAs(attribute.value, list, scope));
  if (value.is_null()) return std::nullopt;
  Strings texts;
  for (const Value& element : value.elements())
    if (!element.is_null()) texts.push_back(element.AsString());
  return texts;
}

FieldKind ListField(std::optional<Strings> Fields::*field) {
  return {
      [field](const hcl::Attribute& attribute, const hcl::Scope& scope, Fields& into) -> Result<> {
        TRY_ASSIGN(std::optional<Strings> texts, TextsAt(attribute, scope));
        if (texts) into.*field = std::move(texts);
        return {};
      },
      [field](const Fields& from) { return from.*field ? ListOf(*(from.*field)) : Value(); }};
}

FieldKind ListField(Strings Fields::*field) {
  return {
      [field](const hcl::Attribute& attribute, const hcl::Scope& scope, Fields& into) -> Result<> {
        TRY_ASSIGN(std::optional<Strings> texts, TextsAt(attribute, scope));
        if (texts) into.*field = *std::move(texts);
        return {};
      },
      [field](const Fields& from) { return ListOf(from.*field); }};
}

FieldKind MapField(StringMap Fields::*field) {
  return {
      [field](const hcl::Attribute& attribute, const hcl::Scope& scope, Fields& into) -> Result<> {
        static const Type map = Type::Of(Type::Kind::kMap, Type::Of(Type::Kind::kString));
        TRY_ASSIGN(const Value value, hcl::EvaluateAs(attribute.value, map, scope));
        for (const auto& [key, member] : value.members())
          if (!member.is_null()) (into.*field)[key] = member.AsString();
        return {};
      },
      [field](const Fields& from) { return MapOf(from.*field); }};
}

/// The elements of a list whose entries are texts or objects. Unlike other fields it may not be
/// null (docker buildx refuses that).
Result<hcl::Elements> ReadElements(const hcl::Attribute& attribute, const hcl::Scope& scope) {
  TRY_ASSIGN(const Value value, hcl::Evaluate(attribute.value, scope));
  if (value.is_sequence()) return value.elements();
  return Fail(hcl::ErrorAt(
      attribute.value.range(), "Unsuitable value",
      Cat(attribute.name, " is a list of texts and objects, not ", hcl::TypeName(value))));
}

Error BadElement(const hcl::Attribute& attribute, const Error& cause) {
  return hcl::ErrorAt(attribute.value.range(), Cat("Invalid ", attribute.name), cause);
}

Result<Entry> MembersOf(const Value& object) {
  Entry members;
  for (const auto& [key, member] : object.members()) {
    if (member.is_null()) continue;
    TRY_ASSIGN(members[key], hcl::TextOf(member));
  }
  return members;
}

using CheckMembers = Result<Entry> (*)(Entry);

Result<Entries> EntriesOf(const Value& element, ParseEntries parse, CheckMembers check) {
  if (element.is_mapping()) {
    TRY_ASSIGN(Entry members, MembersOf(element));
    TRY_ASSIGN(Entry entry, check(std::move(members)));
    return Entries{std::move(entry)};
  }
  TRY_ASSIGN(const std::string text, hcl::TextOf(element));
  return parse(text);
}

Result<Entries> ReadEntries(const hcl::Attribute& attribute,
                            const hcl::Scope& scope,
                            ParseEntries parse,
                            CheckMembers check) {
  TRY_ASSIGN(const hcl::Elements elements, ReadElements(attribute, scope));
  Entries all;
  for (const Value& element : elements) {
    auto entries = EntriesOf(element, parse, check);
    if (!entries) return Fail(BadElement(attribute, entries.error()));
    all.insert(all.end(), entries->begin(), entries->end());
  }
  return all;
}

/// Each entry as an object that has `always`, too.
Value ObjectsOf(const Entries& entries, const Strings& always) {
  hcl::Elements elements;
  for (const Entry& entry : entries) {
    hcl::Members members;
    for (const std::string& key : always)
      members.emplace(key, Value::String(""));
    for (const auto& [key, value] : entry)
      members.insert_or_assign(key, Value::String(value));
    elements.push_back(Value::Map(std::move(members)));
  }
  return Value::List(std::move(elements));
}

template <typename Field>
FieldKind EntriesField(Field Fields::*field,
                       ParseEntries parse,
                       CheckMembers check,
                       const Strings& always) {
  return {[=](const hcl::Attribute& attribute, const hcl::Scope& scope, Fields& into) -> Result<> {
            TRY_ASSIGN(into.*field, ReadEntries(attribute, scope, parse, check));
            return {};
          },
          [=](const Fields& from) {
            const Field& entries = from.*field;
            if constexpr (std::is_same_v<Field, Entries>) {
              return ObjectsOf(entries, always);
            } else {
              return entries ? ObjectsOf(*entries, always) : Value();
            }
          }};
}

Result<std::vector<SshEntry>> SshOf(const Value& element) {
  if (!element.is_mapping()) {
    TRY_ASSIGN(const std::string text, hcl::TextOf(element));
    return ParseSshEntries(text);
  }
  SshEntry entry;
  for (const auto& [key, member] : element.members()) {
    if (key == "id") {
      TRY_ASSIGN(entry.id, hcl::TextOf(member));
    } else if (key == "paths" && member.is_sequence()) {
      for (const Value& path : member.elements()) {
        TRY_ASSIGN(std::string text, hcl::TextOf(path));
        entry.paths.push_back(std::move(text));
      }
    } else if (!member.is_null()) {
      return Fail(ErrorCode::kInvalid,
                  Cat("an entry of ssh has an id and a list of paths, no ", key));
    }
  }
  return std::vector<SshEntry>{std::move(entry)};
}

Result<> ReadSsh(const hcl::Attribute& attribute, const hcl::Scope& scope, Fields& into) {
  TRY_ASSIGN(const hcl::Elements elements, ReadElements(attribute, scope));
  into.ssh.clear();
  for (const Value& element : elements) {
    auto entries = SshOf(element);
    if (!entries) return Fail(BadElement(attribute, entries.error()));
    into.ssh.insert(into.ssh.end(), entries->begin(), entries->end());
  }
  return {};
}

Value ShowSsh(const Fields& fields) {
  hcl::Elements elements;
  for (const SshEntry& entry : fields.ssh) {
    hcl::Members members;
    members.emplace("id", Value::String(entry.id));
    members.emplace("paths", ListOf(entry.paths));
    elements.push_back(Value::Object(std::move(members)));
  }
  return Value::List(std::move(elements));
}

const std::map<std::string, FieldKind, std::less<>>& FieldKinds() {
  static const std::map<std::string, FieldKind, std::less<>> kinds = {
      {"description", TextField(&Fields::description)},
      {"context", TextField(&Fields::context)},
      {"dockerfile", TextField(&Fields::dockerfile)},
      {"dockerfile-inline", TextField(&Fields::dockerfile_inline)},
      {"target", TextField(&Fields::target)},
      {"network", TextField(&Fields::network)},
      {"shm-size", TextField(&Fields::shm_size)},
      {"call", TextField(&Fields::call)},
      {"project_id", TextField(&Fields::project)},
      {"pull", SwitchField(&Fields::pull)},
      {"no-cache", SwitchField(&Fields::no_cache)},
      {"tags", ListField(&Fields::tags)},
      {"platforms", ListField(&Fields::platforms)},
      {"inherits", ListField(&Fields::inherits)},
      {"annotations", ListField(&Fields::annotations)},
      {"no-cache-filter", ListField(&Fields::no_cache_filter)},
      {"ulimits", ListField(&Fields::ulimits)},
      {"entitlements", ListField(&Fields::entitlements)},
      {"args", MapField(&Fields::args)},
      {"labels", MapField(&Fields::labels)},
      {"contexts", MapField(&Fields::contexts)},
      {"extra-hosts", MapField(&Fields::extra_hosts)},
      {"resources", MapField(&Fields::resources)},
      {"attest", EntriesField(&Fields::attest, ParseAttests, CheckAttest, {})},
      {"cache-from", EntriesField(&Fields::cache_from, ParseCaches, CheckCache, {})},
      {"cache-to", EntriesField(&Fields::cache_to, ParseCaches, CheckCache, {})},
      {"output", EntriesField(&Fields::output, ParseOutputs, CheckOutput, {"dest"})},
      {"secret", EntriesField(&Fields::secret, ParseSecrets, CheckSecret, {"id", "src", "env"})},
      {"ssh", {ReadSsh, ShowSsh}},
  };
  return kinds;
}

}  // namespace

bool IsField(std::string_view name) {
  return FieldKinds().find(name) != FieldKinds().end();
}

std::vector<std::string_view> FieldNames() {
  std::vector<std::string_view> names;
  for (const auto& [name, kind] : FieldKinds())
    names.push_back(name);
  return names;
}

Result<> ReadField(const hcl::Attribute& attribute, const hcl::Scope& scope, Fields& into) {
  auto kind = FieldKinds().find(attribute.name);
  if (kind != FieldKinds().end()) return kind->second.read(attribute, scope, into);
  return {};
}

Value FieldValue(const Fields& fields, std::string_view name) {
  auto kind = FieldKinds().find(name);
  return kind == FieldKinds().end() ? Value() : kind->second.show(fields);
}

Value FieldValues(const Fields& fields) {
  hcl::Members members;
  for (const auto& [name, kind] : FieldKinds())
    members.emplace(name, kind.show(fields));
  return Value::Object(std::move(members));
}

}  // namespace depot::bake
