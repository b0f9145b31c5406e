#include <optional>
#include <string>
#include <utility>

#include "driver/base/text.h"
#include "plugin/hcl/scope.h"

namespace depot::hcl {

namespace {

std::string_view SignOf(Operator operation) {
  switch (operation) {
    case Operator::kOr:
      return "||";
    case Operator::kAnd:
      return "&&";
    case Operator::kEqual:
      return "==";
    case Operator::kUnequal:
      return "!=";
    case Operator::kLess:
      return "<";
    case Operator::kLessEqual:
      return "<=";
    case Operator::kGreater:
      return ">";
    case Operator::kGreaterEqual:
      return ">=";
    case Operator::kPlus:
      return "+";
    case Operator::kMinus:
    case Operator::kNegate:
      return "-";
    case Operator::kTimes:
      return "*";
    case Operator::kOver:
      return "/";
    case Operator::kRemainder:
      return "%";
    case Operator::kNot:
      return "!";
  }
  return "";
}

Result<Number> OperandNumber(const Value& value, Operator operation, const Range& range) {
  auto gist = Cat("`", SignOf(operation), "` needs numbers");
  if (value.is_null()) return Fail(ErrorAt(range, gist, "this is null"));
  auto number = Convert(value, Type::Of(Type::Kind::kNumber));
  if (!number) return Fail(ErrorAt(range, gist, Cat("this is a ", TypeName(value))));
  return number->AsNumber();
}

std::optional<Number> Arithmetic(Operator operation, const Number& left, const Number& right) {
  switch (operation) {
    case Operator::kPlus:
      return left.Plus(right);
    case Operator::kMinus:
      return left.Minus(right);
    case Operator::kTimes:
      return left.Times(right);
    case Operator::kOver:
      return left.Over(right);
    default:
      return left.Remainder(right);
  }
}

std::optional<bool> Compared(Operator operation, const Number& left, const Number& right) {
  switch (operation) {
    case Operator::kLess:
      return left < right;
    case Operator::kLessEqual:
      return left <= right;
    case Operator::kGreater:
      return left > right;
    case Operator::kGreaterEqual:
      return left >= right;
    default:
      return std::nullopt;
  }
}

Result<Value> StepIntoSequence(const Value& object, const Value& key, const Range& range) {
  if (object.kind() == Value::Kind::kSet)
    return Fail(ErrorAt(range, "a set has no indexes", "make it a list with [for v in SET : v]"));
  auto number = Convert(key, Type::Of(Type::Kind::kNumber));
  auto index = number ? number->AsNumber().ToInteger() : std::nullopt;
  if (!index) {
    auto detail = key.is_string() ? Cat("`", key.AsString(), "` of a list: did you mean [*].",
                                        key.AsString(), "?")
                                  : "";
    return Fail(ErrorAt(range, "a whole number is needed as index", detail));
  }
  auto size = object.elements().size();
  if (*index < 0 || static_cast<std::size_t>(*index) >= size)
    return Fail(ErrorAt(range, Cat("there is no element ", *index),
                        Cat("the ", TypeName(object), " has ", size)));
  return object.elements()[static_cast<std::size_t>(*index)];
}

Result<Value> StepIntoMapping(const Value& object, const Value& key, const Range& range) {
  auto name = TextOf(key);
  if (!name) return Fail(ErrorAt(range, "a text is needed as key", ""));
  auto found = object.members().find(*name);
  if (found != object.members().end()) return found->second;
  std::vector<std::string_view> names;
  for (const auto& [candidate, member] : object.members())
    names.push_back(candidate);
  return Fail(ErrorAt(range,
                      Cat("there is no `", *name, "` in this ",
                          object.kind() == Value::Kind::kMap ? "map" : "object"),
                      DidYouMean(*name, names)));
}

}  // namespace

Result<bool> Truth(const Value& value, const Range& range) {
  if (value.is_null()) return Fail(ErrorAt(range, "true or false is needed", "this is null"));
  auto truth = Convert(value, Type::Of(Type::Kind::kBool));
  if (!truth)
    return Fail(ErrorAt(range, "true or false is needed", Cat("this is a ", TypeName(value))));
  return truth->AsBool();
}

Result<Value> Operate(const OperationForm& form,
                      const Value& left,
                      const Value& right,
                      const Range& range) {
  const auto& left_range = form.left ? form.left->range : range;
  const auto& right_range = form.right->range;
  switch (form.operation) {
    case Operator::kEqual:
      return Value::Bool(left == right);
    case Operator::kUnequal:
      return Value::Bool(!(left == right));
    case Operator::kOr:
    case Operator::kAnd: {
      TRY_ASSIGN(bool first, Truth(left, left_range));
      TRY_ASSIGN(bool second, Truth(right, right_range));
      return Value::Bool(form.operation == Operator::kOr ? first || second : first && second);
    }
    case Operator::kNot: {
      TRY_ASSIGN(bool truth, Truth(right, right_range));
      return Value::Bool(!truth);
    }
    case Operator::kNegate: {
      TRY_ASSIGN(auto number, OperandNumber(right, form.operation, right_range));
      return Value::Of(number.Negated());
    }
    default:
      break;
  }
  TRY_ASSIGN(auto first, OperandNumber(left, form.operation, left_range));
  TRY_ASSIGN(auto second, OperandNumber(right, form.operation, right_range));
  if (auto truth = Compared(form.operation, first, second)) return Value::Bool(*truth);
  auto result = Arithmetic(form.operation, first, second);
  if (!result) {
    bool zeros = second.sign() == 0 || first.is_infinite() || second.is_infinite();
    return Fail(ErrorAt(range, zeros ? "this has no result" : "number too large",
                        Cat("`", SignOf(form.operation), "` of these numbers")));
  }
  return Value::Of(*std::move(result));
}

Result<Value> TakeStep(const Value& object, const Value& key, const Range& range) {
  if (object.is_null())
    return Fail(ErrorAt(range, "null has no parts", "the value before this is null"));
  if (key.is_null()) return Fail(ErrorAt(range, "the index is null", ""));
  if (object.is_sequence()) return StepIntoSequence(object, key, range);
  if (object.is_mapping()) return StepIntoMapping(object, key, range);
  return Fail(ErrorAt(range, Cat("a ", TypeName(object), " has no parts"),
                      "only lists, maps and objects have"));
}

Result<Value> Choose(const Value& taken, const Value& other, const Range& range) {
  bool both_objects = taken.kind() == Value::Kind::kObject && other.kind() == Value::Kind::kObject;
  auto type = CommonType({TypeOf(taken), TypeOf(other)});
  if (!type) {
    if (both_objects) return taken;
    return Fail(
        ErrorAt(range, "the two results of the condition are of different types",
                Cat(TypeName(taken), " and ", TypeName(other), ": both must convert to one type")));
  }
  auto converted = Convert(taken, *type);
  if (!converted)
    return Fail(ErrorAt(range, "the two results of the condition are of different types",
                        converted.error()));
  return converted;
}

}  // namespace depot::hcl
