#include "plugin/hcl/functions.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "driver/base/text.h"

namespace depot::hcl {

namespace {

const std::map<std::string_view, const Function*>& AllFunctions() {
  static const auto all = [] {
    std::map<std::string_view, const Function*> out;
    const std::array families = {TextFunctions(),    FormatFunctions(), NumberFunctions(),
                                 LogicFunctions(),   ListFunctions(),   SetFunctions(),
                                 MapFunctions(),     EncodeFunctions(), HashFunctions(),
                                 PatternFunctions(), TimeFunctions(),   AddressFunctions(),
                                 VersionFunctions()};
    for (const auto& family : families) {
      for (const auto& function : family)
        out.emplace(function.name, &function);
    }
    return out;
  }();
  return all;
}

/// One letter of Function::parameters with what stands behind it.
struct Parameter {
  char kind = 'a';
  bool nullable = false;
  bool repeats = false;
};

std::vector<Parameter> ParametersOf(const Function& function) {
  std::vector<Parameter> out;
  for (char c : function.parameters) {
    if (c == '?') {
      out.back().nullable = true;
    } else if (c == '*') {
      out.back().repeats = true;
    } else {
      out.push_back({c, false, false});
    }
  }
  return out;
}

Result<Value> Argument(const Value& value, const Parameter& parameter) {
  if (value.is_null() && !parameter.nullable) return Refuse("must not be null");
  switch (parameter.kind) {
    case 's':
      return Convert(value, Type::Of(Type::Kind::kString));
    case 'n':
      return Convert(value, Type::Of(Type::Kind::kNumber));
    case 'b':
      return Convert(value, Type::Of(Type::Kind::kBool));
    case 'l':
      if (!value.is_sequence() && !value.is_null())
        return Refuse(Cat("a list is required, not ", TypeName(value)));
      return value;
    case 'm':
      if (!value.is_mapping() && !value.is_null())
        return Refuse(Cat("a map is required, not ", TypeName(value)));
      return value;
    default:
      return value;
  }
}

}  // namespace

const Function* FindFunction(std::string_view name) {
  auto found = AllFunctions().find(name);
  return found == AllFunctions().end() ? nullptr : found->second;
}

std::vector<std::string_view> FunctionNames() {
  std::vector<std::string_view> names(kSpecialFunctions.begin(), kSpecialFunctions.end());
  for (const auto& [name, function] : AllFunctions())
    names.push_back(name);
  return names;
}

Result<Value> CallFunction(const Function& function, Arguments arguments) {
  auto parameters = ParametersOf(function);
  bool repeats = !parameters.empty() && parameters.back().repeats;
  auto needed = parameters.size() - (repeats ? 1 : 0);
  if (arguments.size() < needed || (arguments.size() > needed && !repeats)) {
    return Refuse(Cat("it takes ", repeats ? "at least " : "", needed,
                      needed == 1 ? " argument" : " arguments", ", here are ", arguments.size()));
  }
  for (std::size_t index = 0; index < arguments.size(); ++index) {
    auto argument = Argument(arguments[index], parameters[std::min(index, parameters.size() - 1)]);
    if (!argument) return Fail(std::move(argument).error().While(Cat("argument ", index + 1)));
    arguments[index] = *std::move(argument);
  }
  return function.call(arguments);
}

Result<> CheckSize(std::size_t size) {
  if (size > kLargestResult) return Refuse("the result is too large");
  return {};
}

Result<std::int64_t> Whole(const Value& value, std::string_view what) {
  auto whole = value.AsNumber().ToInteger();
  if (!whole) return Refuse(Cat(what, " must be a whole number"));
  return *whole;
}

Result<Elements> Unified(const Elements& elements) {
  std::vector<Type> types;
  types.reserve(elements.size());
  for (const auto& element : elements)
    types.push_back(TypeOf(element));
  TRY_ASSIGN(auto type, CommonType(types));
  Elements out;
  out.reserve(elements.size());
  for (const auto& element : elements) {
    TRY_ASSIGN(auto converted, Convert(element, type));
    out.push_back(std::move(converted));
  }
  return out;
}

}  // namespace depot::hcl
