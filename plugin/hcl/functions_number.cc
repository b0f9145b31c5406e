#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "driver/base/text.h"
#include "plugin/hcl/functions.h"

namespace depot::hcl {

namespace {

Result<Value> Computed(std::optional<Number> number) {
  if (!number) return Refuse("these numbers have no result, or one that is too large");
  return Value::Of(*std::move(number));
}

Result<Value> Absolute(const Arguments& arguments) {
  const auto& number = arguments[0].AsNumber();
  return Value::Of(number.sign() < 0 ? number.Negated() : number);
}

Result<Value> Ceil(const Arguments& arguments) {
  return Value::Of(arguments[0].AsNumber().Negated().Floor().Negated());
}

Result<Value> Floor(const Arguments& arguments) {
  return Value::Of(arguments[0].AsNumber().Floor());
}

Result<Value> Int(const Arguments& arguments) {
  return Value::Of(arguments[0].AsNumber().Truncated());
}

Result<Value> Negate(const Arguments& arguments) {
  return Value::Of(arguments[0].AsNumber().Negated());
}

Result<Value> Signum(const Arguments& arguments) {
  if (!arguments[0].AsNumber().is_whole()) return Refuse("a whole number is required");
  return Value::Integer(arguments[0].AsNumber().sign());
}

Result<Value> Add(const Arguments& arguments) {
  return Computed(arguments[0].AsNumber().Plus(arguments[1].AsNumber()));
}

Result<Value> Subtract(const Arguments& arguments) {
  return Computed(arguments[0].AsNumber().Minus(arguments[1].AsNumber()));
}

Result<Value> Multiply(const Arguments& arguments) {
  return Computed(arguments[0].AsNumber().Times(arguments[1].AsNumber()));
}

Result<Value> Divide(const Arguments& arguments) {
  return Computed(arguments[0].AsNumber().Over(arguments[1].AsNumber()));
}

Result<Value> Modulo(const Arguments& arguments) {
  return Computed(arguments[0].AsNumber().Remainder(arguments[1].AsNumber()));
}

Result<Value> Pow(const Arguments& arguments) {
  return Computed(Number::FromDouble(
      std::pow(arguments[0].AsNumber().ToDouble(), arguments[1].AsNumber().ToDouble())));
}

Result<Value> Log(const Arguments& arguments) {
  return Computed(Number::FromDouble(std::log(arguments[0].AsNumber().ToDouble()) /
                                     std::log(arguments[1].AsNumber().ToDouble())));
}

Result<Value> Extreme(const Arguments& arguments, bool largest) {
  if (arguments.empty()) return Refuse("it takes at least 1 argument");
  auto before = [](const Value& left, const Value& right) {
    return left.AsNumber() < right.AsNumber();
  };
  return largest ? *std::max_element(arguments.begin(), arguments.end(), before)
                 : *std::min_element(arguments.begin(), arguments.end(), before);
}

Result<Value> Max(const Arguments& arguments) {
  return Extreme(arguments, true);
}

Result<Value> Min(const Arguments& arguments) {
  return Extreme(arguments, false);
}

Result<Value> ParseInt(const Arguments& arguments) {
  if (!arguments[0].is_string())
    return Refuse("the first argument must be a text, not " + TypeName(arguments[0]));
  auto base = arguments[1].AsNumber().ToInteger();
  if (!base || *base < 2 || *base > 62)
    return Refuse("the base must be a whole number from 2 to 62");
  auto number = Number::ParseInBase(arguments[0].AsString(), static_cast<int>(*base));
  if (!number)
    return Refuse(Cat("\"", arguments[0].AsString(), "\" is no whole number in base ", *base));
  return Value::Of(*std::move(number));
}

Result<Value> GreaterThan(const Arguments& arguments) {
  return Value::Bool(arguments[0].AsNumber() > arguments[1].AsNumber());
}

Result<Value> GreaterThanOrEqualTo(const Arguments& arguments) {
  return Value::Bool(arguments[0].AsNumber() >= arguments[1].AsNumber());
}

Result<Value> LessThan(const Arguments& arguments) {
  return Value::Bool(arguments[0].AsNumber() < arguments[1].AsNumber());
}

Result<Value> LessThanOrEqualTo(const Arguments& arguments) {
  return Value::Bool(arguments[0].AsNumber() <= arguments[1].AsNumber());
}

Result<Value> RangeOfNumbers(const Arguments& arguments) {
  constexpr std::size_t kMost = 1024;
  if (arguments.empty() || arguments.size() > 3)
    return Refuse("it takes an end, or a start, an end and maybe a step");
  Number start = arguments.size() > 1 ? arguments[0].AsNumber() : Number(0);
  Number end = arguments[arguments.size() > 1 ? 1 : 0].AsNumber();
  bool down = end < start;
  Number step = arguments.size() > 2 ? arguments[2].AsNumber() : Number(down ? -1 : 1);
  if (start != end && step.sign() != (down ? -1 : 1))
    return Refuse("the step leads away from the end");
  Elements out;
  while (down ? start > end : start < end) {
    if (out.size() == kMost) return Refuse("it makes at most 1024 values");
    out.push_back(Value::Of(start));
    auto next = start.Plus(step);
    if (!next) return Refuse("these numbers are too large");
    start = *next;
  }
  return Value::List(std::move(out));
}

Result<Value> And(const Arguments& arguments) {
  return Value::Bool(arguments[0].AsBool() && arguments[1].AsBool());
}

Result<Value> Or(const Arguments& arguments) {
  return Value::Bool(arguments[0].AsBool() || arguments[1].AsBool());
}

Result<Value> Not(const Arguments& arguments) {
  return Value::Bool(!arguments[0].AsBool());
}

Result<Value> Equal(const Arguments& arguments) {
  return Value::Bool(arguments[0] == arguments[1]);
}

Result<Value> NotEqual(const Arguments& arguments) {
  return Value::Bool(!(arguments[0] == arguments[1]));
}

Result<Value> Coalesce(const Arguments& arguments) {
  auto elements = Unified(arguments);
  if (!elements)
    return Refuse("all arguments must be of one type, or of types that convert to one");
  for (const auto& element : *elements) {
    if (!element.is_null()) return element;
  }
  return Refuse("all arguments are null");
}

constexpr Function kNumberFunctions[] = {
    {"absolute", "n", Absolute},
    {"ceil", "n", Ceil},
    {"floor", "n", Floor},
    {"int", "n", Int},
    {"negate", "n", Negate},
    {"signum", "n", Signum},
    {"add", "nn", Add},
    {"subtract", "nn", Subtract},
    {"multiply", "nn", Multiply},
    {"divide", "nn", Divide},
    {"modulo", "nn", Modulo},
    {"pow", "nn", Pow},
    {"log", "nn", Log},
    {"max", "n*", Max},
    {"min", "n*", Min},
    {"parseint", "an", ParseInt},
    {"range", "n*", RangeOfNumbers},
};

constexpr Function kLogicFunctions[] = {
    {"and", "bb", And},
    {"or", "bb", Or},
    {"not", "b", Not},
    {"equal", "a?a?", Equal},
    {"notequal", "a?a?", NotEqual},
    {"coalesce", "a?*", Coalesce},
    {"greaterthan", "nn", GreaterThan},
    {"greaterthanorequalto", "nn", GreaterThanOrEqualTo},
    {"lessthan", "nn", LessThan},
    {"lessthanorequalto", "nn", LessThanOrEqualTo},
};

}  // namespace

std::span<const Function> NumberFunctions() {
  return kNumberFunctions;
}

std::span<const Function> LogicFunctions() {
  return kLogicFunctions;
}

}  // namespace depot::hcl
