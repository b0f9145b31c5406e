#include "plugin/bake/variables.h"

#include <algorithm>
#include <array>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/bake/variable_text.h"

namespace depot::bake {
namespace {

using hcl::Type;
using hcl::Value;

bool IsReserved(std::string_view name) {
  constexpr std::array<std::string_view, 6> kReserved = {
      "target", "group", "variable", "function", "BAKE_CMD_CONTEXT", "BAKE_LOCAL_PLATFORM"};
  return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

std::string CalledVariable(const std::string& name) {
  return Cat("variable ", Printable(name));
}

Result<Value> FromJson(const std::string& text, const Type& type) {
  auto parsed = hcl::ParseJson(text);
  if (!parsed) {
    return Fail(ErrorCode::kInvalid, Cat("its value is no JSON: ", parsed.error().message()));
  }
  return hcl::Convert(*parsed, type);
}

/// What a value without a written type is taken for.
Result<Value> LikeDefault(const std::string& text, const Value& fallback) {
  switch (fallback.kind()) {
    case Value::Kind::kNull:
    case Value::Kind::kString:
      return Value::String(text);
    case Value::Kind::kNumber:
      return ValueFromText(text, Type::Of(Type::Kind::kNumber));
    case Value::Kind::kBool:
      return ValueFromText(text, Type::Of(Type::Kind::kBool));
    default:
      return Fail(
          Error(ErrorCode::kInvalid, Cat("a ", hcl::TypeName(fallback),
                                         " without a type cannot be set from the environment"))
              .WithHint("give the variable a type"));
  }
}

Result<std::optional<std::string>> ShownValue(const Value& value) {
  if (value.is_null()) return std::nullopt;
  if (value.is_sequence() || value.is_mapping()) {
    TRY_ASSIGN(std::string json, hcl::ToJson(value));
    return json;
  }
  TRY_ASSIGN(std::string text, hcl::TextOf(value));
  return text;
}

Result<> CheckValidation(const hcl::Block& block, const hcl::Scope& scope) {
  TRY_ASSIGN(const hcl::Content content, block.body.Read({}));
  const hcl::Attribute* condition = content.Find("condition");
  const hcl::Attribute* message = content.Find("error_message");
  if (condition == nullptr) {
    return Fail(hcl::ErrorAt(block.header, "Missing attribute", "a validation needs a condition"));
  }
  TRY_ASSIGN(const Value holds,
             hcl::EvaluateAs(condition->value, Type::Of(Type::Kind::kBool), scope));
  if (holds.is_null()) {
    return Fail(hcl::ErrorAt(condition->value.range(), "Invalid condition",
                             "a condition is true or false, not null"));
  }
  if (holds.AsBool()) return {};
  std::string text = "the condition does not hold";
  if (message != nullptr) {
    TRY_ASSIGN(const Value said,
               hcl::EvaluateAs(message->value, Type::Of(Type::Kind::kString), scope));
    if (!said.is_null()) text = said.AsString();
  }
  return Fail(hcl::ErrorAt(condition->value.range(), "Validation failed", Printable(text)));
}

}  // namespace

Result<Variables> Variables::Read(const hcl::Content& content, const Environment& environment) {
  Variables all;
  all.environment_ = &environment;
  for (const hcl::Block& block : content.blocks) {
    if (block.type != "variable" || IsReserved(block.labels.front())) continue;
    Variable variable;
    variable.block = &block;
    TRY_ASSIGN(variable.content, block.body.Read({{"validation", 0}}));
    if (const hcl::Attribute* type = variable.content.Find("type")) {
      TRY_ASSIGN(variable.type, hcl::ParseType(type->value));
    }
    if (const hcl::Attribute* fallback = variable.content.Find("default")) {
      variable.fallback = fallback->value;
    }
    all.variables_.insert_or_assign(block.labels.front(), std::move(variable));
  }
  for (const hcl::Attribute& attribute : content.attributes) {
    auto variable = all.variables_.find(attribute.name);
    if (variable != all.variables_.end()) {
      variable->second.fallback = attribute.value;
    } else if (!IsReserved(attribute.name)) {
      all.constants_[attribute.name] = &attribute;
    }
  }
  return all;
}

void Variables::DefineIn(hcl::Scope& scope) const {
  for (const auto& [name, attribute] : constants_) {
    scope.Define(name, attribute->name_range, [attribute = attribute, &scope] {
      return hcl::Evaluate(attribute->value, scope);
    });
  }
  for (const auto& entry : variables_) {
    scope.Define(entry.first, entry.second.block->header,
                 [this, &entry, &scope]() -> Result<Value> {
                   auto value = ValueOf(entry.first, entry.second, scope);
                   if (value) return value;
                   // Its own errors have no place; those of expressions do.
                   if (!value.error().excerpt().empty()) return Fail(std::move(value).error());
                   return Fail(hcl::ErrorAt(entry.second.block->header,
                                            Cat("Invalid value of ", CalledVariable(entry.first)),
                                            value.error()));
                 });
  }
}

std::optional<std::string> Variables::Said(const std::string& name) const {
  auto said = environment_->find(name);
  if (said == environment_->end()) return std::nullopt;
  return said->second;
}

Result<Value> Variables::Untyped(const std::string& name,
                                 const Variable& variable,
                                 const hcl::Scope& scope) const {
  std::optional<std::string> said = Said(name);
  const std::string json = name + "_JSON";
  if (!said && !variables_.contains(json)) said = Said(json);
  Value fallback = said ? Value() : Value::String("");
  if (variable.fallback) {
    TRY_ASSIGN(fallback, hcl::Evaluate(variable.fallback, scope));
  }
  return said ? LikeDefault(*said, fallback) : Result<Value>(fallback);
}

Result<Value> Variables::ValueOf(const std::string& name,
                                 const Variable& variable,
                                 const hcl::Scope& scope) const {
  if (!variable.type) return Untyped(name, variable, scope);
  const std::string json = name + "_JSON";
  const std::optional<std::string> said_json =
      variables_.contains(json) ? std::nullopt : Said(json);
  if (said_json) return FromJson(*said_json, *variable.type);
  if (const std::optional<std::string> said = Said(name)) {
    return ValueFromText(*said, *variable.type);
  }
  if (!variable.fallback) return Value();
  return hcl::EvaluateAs(variable.fallback, *variable.type, scope);
}

Result<> Variables::Check(const hcl::Scope& scope) const {
  for (const auto& [name, attribute] : constants_)
    TRY(scope.Get(name));
  for (const auto& [name, variable] : variables_)
    TRY(scope.Get(name));
  for (const auto& [name, variable] : variables_)
    for (const hcl::Block& block : variable.content.blocks)
      TRY(CheckValidation(block, scope));
  return {};
}

Result<> Variables::AddTo(Ignored& ignored) const {
  for (const auto& [name, variable] : variables_) {
    ignored.Add("variable", name, variable.content, {"type", "default", "description"});
    for (const hcl::Block& block : variable.content.blocks) {
      TRY_ASSIGN(const hcl::Content content, block.body.Read({}));
      ignored.Add("validation of variable", name, content, {"condition", "error_message"});
    }
  }
  return {};
}

Result<std::vector<VariableFact>> Variables::Facts(const hcl::Scope& scope) const {
  std::vector<VariableFact> facts;
  for (const auto& [name, variable] : variables_) {
    VariableFact fact{name, variable.type ? variable.type->Name() : "", std::nullopt, ""};
    TRY_ASSIGN(const std::optional<Value> value, scope.Get(name));
    if (value) {
      TRY_ASSIGN(fact.value, ShownValue(*value));
    }
    if (const hcl::Attribute* text = variable.content.Find("description")) {
      TRY_ASSIGN(const Value said,
                 hcl::EvaluateAs(text->value, Type::Of(Type::Kind::kString), scope));
      if (!said.is_null()) fact.description = said.AsString();
    }
    facts.push_back(std::move(fact));
  }
  return facts;
}

}  // namespace depot::bake
