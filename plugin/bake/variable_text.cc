#include "plugin/bake/variable_text.h"

#include <vector>

#include "driver/base/shown.h"
#include "driver/base/text.h"
#include "plugin/options/attributes.h"

namespace depot::bake {
namespace {

using hcl::Type;
using hcl::Value;

Error BadText(std::string message) {
  return Error(ErrorCode::kInvalid, std::move(message));
}

Result<Value> Primitive(std::string_view text, const Type& type) {
  if (type.kind == Type::Kind::kBool) {
    const std::optional<bool> value = ParseBool(text);
    if (value) return Value::Bool(*value);
    return Fail(BadText(Cat('"', Printable(text), "\" is no bool: true or false")));
  }
  if (type.kind == Type::Kind::kNumber) {
    const std::optional<hcl::Number> number = hcl::Number::Parse(text);
    if (number) return Value::Of(*number);
    return Fail(BadText(Cat('"', Printable(text), "\" is no number")));
  }
  return Value::String(std::string(text));
}

Result<std::vector<std::string>> FieldsOf(std::string_view text) {
  if (text.empty()) return Fail(BadText("an empty text is no list: give it as JSON"));
  auto fields = options::SplitRecord(text);
  if (fields) return fields;
  return Fail(BadText(fields.error().message()));
}

Result<Value> ListFrom(std::string_view text, const Type& type) {
  TRY_ASSIGN(const std::vector<std::string> fields, FieldsOf(text));
  hcl::Elements elements;
  for (const std::string& field : fields) {
    TRY_ASSIGN(Value element, Primitive(field, type.elements.front()));
    elements.push_back(std::move(element));
  }
  return type.kind == Type::Kind::kSet ? Value::Set(std::move(elements))
                                       : Value::List(std::move(elements));
}

Result<Value> TupleFrom(std::string_view text, const Type& type) {
  TRY_ASSIGN(const std::vector<std::string> fields, FieldsOf(text));
  if (fields.size() != type.elements.size()) {
    return Fail(BadText(
        Cat("a tuple of ", type.elements.size(), " elements is wanted, not of ", fields.size())));
  }
  hcl::Elements elements;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    TRY_ASSIGN(Value element, Primitive(fields[i], type.elements[i]));
    elements.push_back(std::move(element));
  }
  return Value::Tuple(std::move(elements));
}

/// The end of the key in KEY:VALUE, where a key in quotes may have colons.
Result<std::pair<std::string, std::string>> SplitPair(const std::string& field) {
  if (field.starts_with('"')) {
    const std::size_t end = field.find("\":", 1);
    if (end != std::string::npos) {
      return std::make_pair(field.substr(1, end - 1), field.substr(end + 2));
    }
  }
  const std::size_t colon = field.find(':');
  if (colon == std::string::npos) {
    return Fail(BadText(Cat('"', Printable(field), "\" is no KEY:VALUE")));
  }
  return std::make_pair(field.substr(0, colon), field.substr(colon + 1));
}

Result<Value> MapFrom(std::string_view text, const Type& type) {
  TRY_ASSIGN(const std::vector<std::string> fields, FieldsOf(text));
  hcl::Members members;
  for (const std::string& field : fields) {
    TRY_ASSIGN(auto pair, SplitPair(field));
    TRY_ASSIGN(Value value, Primitive(pair.second, type.elements.front()));
    members.insert_or_assign(std::move(pair.first), std::move(value));
  }
  return Value::Map(std::move(members));
}

bool AllPrimitive(const Type& type) {
  for (const Type& element : type.elements)
    if (!element.is_primitive()) return false;
  return true;
}

}  // namespace

Result<Value> ValueFromText(std::string_view text, const Type& type) {
  if (type.is_primitive()) return Primitive(text, type);
  if (AllPrimitive(type)) {
    switch (type.kind) {
      case Type::Kind::kList:
      case Type::Kind::kSet:
        return ListFrom(text, type);
      case Type::Kind::kMap:
        return MapFrom(text, type);
      case Type::Kind::kTuple:
        return TupleFrom(text, type);
      default:
        break;
    }
  }
  return Fail(Error(ErrorCode::kInvalid,
                    Cat("a value of type ", type.Name(), " cannot be given as plain text"))
                  .WithHint("give it as JSON, in the variable with _JSON behind its name"));
}

}  // namespace depot::bake
