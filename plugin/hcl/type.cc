#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/text.h"
#include "plugin/hcl/value.h"

namespace depot::hcl {

namespace {

std::string_view KindName(Type::Kind kind) {
  switch (kind) {
    case Type::Kind::kAny:
      return "any";
    case Type::Kind::kBool:
      return "bool";
    case Type::Kind::kNumber:
      return "number";
    case Type::Kind::kString:
      return "string";
    case Type::Kind::kList:
      return "list";
    case Type::Kind::kSet:
      return "set";
    case Type::Kind::kMap:
      return "map";
    case Type::Kind::kTuple:
      return "tuple";
    case Type::Kind::kObject:
      return "object";
  }
  return "any";
}

bool IsSequence(const Type& type) {
  return type.kind == Type::Kind::kList || type.kind == Type::Kind::kSet ||
         type.kind == Type::Kind::kTuple;
}

bool IsMapping(const Type& type) {
  return type.kind == Type::Kind::kMap || type.kind == Type::Kind::kObject;
}

Error NoCommonType() {
  return Error(ErrorCode::kInvalid,
               "all elements must have the same type, or types that convert to one");
}

Result<Type> CommonElement(const std::vector<Type>& types) {
  std::vector<Type> elements;
  for (const auto& type : types)
    elements.insert(elements.end(), type.elements.begin(), type.elements.end());
  return CommonType(elements);
}

/// The types of one place of several tuples or objects.
Result<Type> CommonByPlace(const std::vector<Type>& types) {
  Type out = types.front();
  for (std::size_t place = 0; place < out.elements.size(); ++place) {
    std::vector<Type> column;
    for (const auto& type : types)
      column.push_back(type.elements[place]);
    TRY_ASSIGN(out.elements[place], CommonType(column));
  }
  return out;
}

Result<Type> CommonSequence(const std::vector<Type>& types) {
  auto all = [&](Type::Kind kind) {
    return std::all_of(types.begin(), types.end(),
                       [kind](const Type& type) { return type.kind == kind; });
  };
  if (all(Type::Kind::kTuple)) {
    bool same = std::all_of(types.begin(), types.end(), [&](const Type& type) {
      return type.elements.size() == types.front().elements.size();
    });
    if (same) {
      auto tuple = CommonByPlace(types);
      if (tuple) return tuple;
    }
  }
  TRY_ASSIGN(auto element, CommonElement(types));
  return Type::Of(all(Type::Kind::kSet) ? Type::Kind::kSet : Type::Kind::kList, std::move(element));
}

Result<Type> CommonMapping(const std::vector<Type>& types) {
  bool objects = std::all_of(types.begin(), types.end(),
                             [](const Type& type) { return type.kind == Type::Kind::kObject; });
  if (objects) {
    bool same = std::all_of(types.begin(), types.end(),
                            [&](const Type& type) { return type.names == types.front().names; });
    if (!same) return Fail(NoCommonType());
    return CommonByPlace(types);
  }
  TRY_ASSIGN(auto element, CommonElement(types));
  return Type::Of(Type::Kind::kMap, std::move(element));
}

Result<Type> CommonPrimitive(const std::vector<Type>& types) {
  bool text = std::any_of(types.begin(), types.end(),
                          [](const Type& type) { return type.kind == Type::Kind::kString; });
  bool primitive =
      std::all_of(types.begin(), types.end(), [](const Type& type) { return type.is_primitive(); });
  if (text && primitive) return Type::Of(Type::Kind::kString);
  return Fail(NoCommonType());
}

Result<Elements> ConvertElements(const Elements& elements, const Type& wanted) {
  Type element = wanted;
  if (wanted.kind == Type::Kind::kAny) {
    std::vector<Type> types;
    types.reserve(elements.size());
    for (const auto& value : elements)
      types.push_back(TypeOf(value));
    TRY_ASSIGN(element, CommonType(types));
  }
  Elements out;
  out.reserve(elements.size());
  for (std::size_t index = 0; index < elements.size(); ++index) {
    auto converted = Convert(elements[index], element);
    if (!converted) return Fail(std::move(converted).error().While(Cat("element ", index)));
    out.push_back(*std::move(converted));
  }
  return out;
}

Result<Value> ToSequence(const Value& value, const Type& wanted) {
  if (!value.is_sequence()) return Fail(ErrorCode::kInvalid, wanted.Name() + " required");
  TRY_ASSIGN(auto elements, ConvertElements(value.elements(), wanted.elements.front()));
  return wanted.kind == Type::Kind::kSet ? Value::Set(std::move(elements))
                                         : Value::List(std::move(elements));
}

Result<Value> ToTuple(const Value& value, const Type& wanted) {
  if (value.kind() != Value::Kind::kTuple || value.elements().size() != wanted.elements.size())
    return Fail(ErrorCode::kInvalid,
                Cat("tuple of ", wanted.elements.size(), " elements required"));
  Elements out;
  for (std::size_t index = 0; index < wanted.elements.size(); ++index) {
    auto converted = Convert(value.elements()[index], wanted.elements[index]);
    if (!converted) return Fail(std::move(converted).error().While(Cat("element ", index)));
    out.push_back(*std::move(converted));
  }
  return Value::Tuple(std::move(out));
}

Result<Value> ToMap(const Value& value, const Type& wanted) {
  if (!value.is_mapping()) return Fail(ErrorCode::kInvalid, wanted.Name() + " required");
  Type element = wanted.elements.front();
  if (element.kind == Type::Kind::kAny) {
    std::vector<Type> types;
    for (const auto& [name, member] : value.members())
      types.push_back(TypeOf(member));
    TRY_ASSIGN(element, CommonType(types));
  }
  Members out;
  for (const auto& [name, member] : value.members()) {
    auto converted = Convert(member, element);
    if (!converted) return Fail(std::move(converted).error().While(Cat("element \"", name, "\"")));
    out.emplace_hint(out.end(), name, *std::move(converted));
  }
  return Value::Map(std::move(out));
}

Result<Value> ToObject(const Value& value, const Type& wanted) {
  if (!value.is_mapping()) return Fail(ErrorCode::kInvalid, "object required");
  Members out;
  for (std::size_t place = 0; place < wanted.names.size(); ++place) {
    const auto& name = wanted.names[place];
    auto found = value.members().find(name);
    if (found == value.members().end()) {
      if (!wanted.optional[place])
        return Fail(ErrorCode::kInvalid, Cat("attribute \"", name, "\" is required"));
      out.emplace(name, Value());
      continue;
    }
    auto converted = Convert(found->second, wanted.elements[place]);
    if (!converted)
      return Fail(std::move(converted).error().While(Cat("attribute \"", name, "\"")));
    out.emplace(name, *std::move(converted));
  }
  return Value::Object(std::move(out));
}

Result<Value> ToNumber(const Value& value) {
  if (value.kind() == Value::Kind::kNumber) return value;
  auto number = value.is_string() ? Number::Parse(value.AsString()) : std::nullopt;
  if (!number) return Fail(ErrorCode::kInvalid, "a number is required");
  return Value::Of(*std::move(number));
}

Result<Value> ToBool(const Value& value) {
  if (value.kind() == Value::Kind::kBool) return value;
  if (value.is_string()) {
    const auto& text = value.AsString();
    if (text == "true" || text == "1") return Value::Bool(true);
    if (text == "false" || text == "0") return Value::Bool(false);
  }
  return Fail(ErrorCode::kInvalid, "a bool is required, true or false");
}

}  // namespace

bool Type::is_primitive() const {
  return kind == Kind::kBool || kind == Kind::kNumber || kind == Kind::kString;
}

bool Type::is_collection() const {
  return kind == Kind::kList || kind == Kind::kSet || kind == Kind::kMap;
}

std::string Type::Name() const {
  if (is_collection()) return Cat(KindName(kind), " of ", elements.front().Name());
  return std::string(KindName(kind));
}

bool Type::operator==(const Type& other) const {
  return kind == other.kind && elements == other.elements && names == other.names;
}

Type TypeOf(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      return Type::Of(Type::Kind::kAny);
    case Value::Kind::kBool:
      return Type::Of(Type::Kind::kBool);
    case Value::Kind::kNumber:
      return Type::Of(Type::Kind::kNumber);
    case Value::Kind::kString:
      return Type::Of(Type::Kind::kString);
    default:
      break;
  }
  std::vector<Type> types;
  for (const auto& element : value.elements())
    types.push_back(TypeOf(element));
  for (const auto& [name, member] : value.members())
    types.push_back(TypeOf(member));
  if (value.kind() == Value::Kind::kTuple)
    return Type{Type::Kind::kTuple, std::move(types), {}, {}};
  if (value.kind() == Value::Kind::kObject) {
    Type out{Type::Kind::kObject, std::move(types), {}, {}};
    for (const auto& [name, member] : value.members())
      out.names.push_back(name);
    out.optional.assign(out.names.size(), false);
    return out;
  }
  auto kind = value.kind() == Value::Kind::kList  ? Type::Kind::kList
              : value.kind() == Value::Kind::kSet ? Type::Kind::kSet
                                                  : Type::Kind::kMap;
  return Type::Of(kind, CommonType(types).value_or(Type::Of(Type::Kind::kAny)));
}

Result<Type> CommonType(const std::vector<Type>& types) {
  std::vector<Type> known;
  for (const auto& type : types) {
    if (type.kind != Type::Kind::kAny && (known.empty() || !(type == known.back())))
      known.push_back(type);
  }
  if (known.empty()) return Type::Of(Type::Kind::kAny);
  if (known.size() == 1) return known.front();
  if (std::all_of(known.begin(), known.end(), IsSequence)) return CommonSequence(known);
  if (std::all_of(known.begin(), known.end(), IsMapping)) return CommonMapping(known);
  return CommonPrimitive(known);
}

Result<Value> Convert(const Value& value, const Type& wanted) {
  if (value.is_null()) return value;
  switch (wanted.kind) {
    case Type::Kind::kAny:
      return value;
    case Type::Kind::kBool:
      return ToBool(value);
    case Type::Kind::kNumber:
      return ToNumber(value);
    case Type::Kind::kString: {
      if (value.is_string()) return value;
      TRY_ASSIGN(auto text, TextOf(value));
      return Value::String(std::move(text));
    }
    case Type::Kind::kList:
    case Type::Kind::kSet:
      return ToSequence(value, wanted);
    case Type::Kind::kTuple:
      return ToTuple(value, wanted);
    case Type::Kind::kMap:
      return ToMap(value, wanted);
    case Type::Kind::kObject:
      return ToObject(value, wanted);
  }
  return value;
}

Result<std::string> TextOf(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kBool:
      return std::string(value.AsBool() ? "true" : "false");
    case Value::Kind::kNumber:
      return value.AsNumber().Text();
    case Value::Kind::kString:
      return value.AsString();
    default:
      return Fail(ErrorCode::kInvalid, "string required, not " + TypeName(value));
  }
}

std::string TypeName(const Value& value) {
  if (value.is_null()) return "null";
  return TypeOf(value).Name();
}

}  // namespace depot::hcl
