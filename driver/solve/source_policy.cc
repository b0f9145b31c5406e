#include "driver/solve/source_policy.h"

#include <algorithm>
#include <vector>

#include "proto/control.pb.h"

#include "driver/base/json.h"
#include "driver/base/shown.h"
#include "driver/base/text.h"

namespace depot::solve {
namespace {

namespace control = moby::buildkit::v1;
using Words = std::vector<std::string_view>;

Error Wrong(std::string_view where, std::string_view why) {
  return Error(ErrorCode::kInvalid, Cat(where, ": ", why));
}

/// An object of none but these keys.
Result<> CheckKeys(const Json& object, std::string_view where, const Words& known) {
  if (!object.is_object()) return Fail(Wrong(where, "is not an object"));
  for (const std::string& key : object.Keys()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string_view near = Nearest(key, known);
    return Fail(Wrong(where, Cat("unknown key \"", Printable(key), '"',
                                 near.empty() ? "" : ", did you mean ", near)));
  }
  return {};
}

/// A string; "" when it is not there.
Result<std::string> Text(const Json& object, std::string_view key, std::string_view where) {
  const Json value = object[key];
  if (value.type() == Json::Type::kNull || value.is_string()) return value.AsString();
  return Fail(Wrong(where, Cat(key, " is not a string")));
}

/// One of `words`, by name or by number; the first when it is not there.
Result<int> Word(const Json& object,
                 std::string_view key,
                 std::string_view where,
                 const Words& words) {
  const Json value = object[key];
  if (value.type() == Json::Type::kNull) return 0;
  for (int i = 0; i < static_cast<int>(words.size()); ++i) {
    const bool named = value.is_string() && value.AsString() == words[static_cast<std::size_t>(i)];
    const bool numbered = value.type() == Json::Type::kNumber && value.AsInt(-1) == i;
    if (named || numbered) return i;
  }
  std::vector<std::string> names(words.begin(), words.end());
  return Fail(Wrong(where, Cat(key, " is ", Join(names, ", "), ", not ",
                               Printable(value.Dump().substr(0, 100)))));
}

Result<> ReadSelector(const Json& json, std::string_view where, control::SourceSelector& selector) {
  TRY(CheckKeys(json, where, {"identifier", "match_type", "constraints"}));
  TRY_ASSIGN(std::string identifier, Text(json, "identifier", where));
  if (identifier.empty()) return Fail(Wrong(where, "identifier is missing"));
  selector.set_identifier(std::move(identifier));
  TRY_ASSIGN(const int match, Word(json, "match_type", where, {"WILDCARD", "EXACT", "REGEX"}));
  selector.set_match_type(match);
  const Json constraints = json["constraints"];
  if (constraints.type() != Json::Type::kNull && !constraints.is_array()) {
    return Fail(Wrong(where, "constraints is not a list"));
  }
  for (std::size_t i = 0; i < constraints.size(); ++i) {
    const Json one = constraints[i];
    const std::string place = Cat(where, ", constraint ", i + 1);
    TRY(CheckKeys(one, place, {"key", "value", "condition"}));
    control::SourceConstraint& constraint = *selector.add_constraints();
    TRY_ASSIGN(*constraint.mutable_key(), Text(one, "key", place));
    TRY_ASSIGN(*constraint.mutable_value(), Text(one, "value", place));
    TRY_ASSIGN(const int condition,
               Word(one, "condition", place, {"EQUAL", "NOTEQUAL", "MATCHES"}));
    constraint.set_condition(condition);
  }
  return {};
}

Result<> ReadUpdates(const Json& json, std::string_view where, control::SourceUpdate& update) {
  TRY(CheckKeys(json, where, {"identifier", "attrs"}));
  TRY_ASSIGN(*update.mutable_identifier(), Text(json, "identifier", where));
  const Json attrs = json["attrs"];
  if (attrs.type() == Json::Type::kNull) return {};
  if (!attrs.is_object()) return Fail(Wrong(where, "attrs is not an object"));
  for (const std::string& key : attrs.Keys()) {
    TRY_ASSIGN((*update.mutable_attrs())[key], Text(attrs, key, Cat(where, ", attrs")));
  }
  return {};
}

Result<> ReadRule(const Json& json, const std::string& where, control::SourceRule& rule) {
  TRY(CheckKeys(json, where, {"action", "selector", "updates"}));
  TRY_ASSIGN(const int action, Word(json, "action", where, {"ALLOW", "DENY", "CONVERT"}));
  rule.set_action(action);
  TRY(ReadSelector(json["selector"], Cat(where, ", selector"), *rule.mutable_selector()));
  if (json["updates"].type() == Json::Type::kNull) return {};
  return ReadUpdates(json["updates"], Cat(where, ", updates"), *rule.mutable_updates());
}

}  // namespace

Result<std::string> ParseSourcePolicy(std::string_view json) {
  TRY_ASSIGN(const Json policy, Json::Parse(json));
  TRY(CheckKeys(policy, "the policy", {"version", "rules"}));
  const Json version = policy["version"];
  const bool known = version.type() == Json::Type::kNull ||
                     (version.type() == Json::Type::kNumber && version.AsInt() <= 1);
  if (!known) return Fail(Wrong("the policy", "its version is not 1"));
  const Json rules = policy["rules"];
  if (!rules.is_array() || rules.size() == 0) return Fail(Wrong("the policy", "it has no rules"));
  control::SourcePolicy message;
  message.set_version(version.AsInt());
  for (std::size_t i = 0; i < rules.size(); ++i)
    TRY(ReadRule(rules[i], Cat("rule ", i + 1), *message.add_rules()));
  return message.SerializeAsString();
}

}  // namespace depot::solve
