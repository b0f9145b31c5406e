#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "driver/base/text.h"
#include "plugin/hcl/functions.h"

namespace depot::hcl {

namespace {

Result<Value> Keys(const Arguments& arguments) {
  Elements out;
  for (const auto& [name, member] : arguments[0].members())
    out.push_back(Value::String(name));
  return arguments[0].kind() == Value::Kind::kMap ? Value::List(std::move(out))
                                                  : Value::Tuple(std::move(out));
}

Result<Value> Values(const Arguments& arguments) {
  Elements out;
  for (const auto& [name, member] : arguments[0].members())
    out.push_back(member);
  return arguments[0].kind() == Value::Kind::kMap ? Value::List(std::move(out))
                                                  : Value::Tuple(std::move(out));
}

Result<Value> Lookup(const Arguments& arguments) {
  auto found = arguments[0].members().find(arguments[1].AsString());
  return found != arguments[0].members().end() ? found->second : arguments[2];
}

Result<Value> Merge(const Arguments& arguments) {
  Members out;
  bool maps = !arguments.empty();
  for (const auto& argument : arguments) {
    maps = maps && argument.kind() == Value::Kind::kMap;
    for (const auto& [name, member] : argument.members())
      out.insert_or_assign(name, member);
  }
  return maps ? Value::Map(std::move(out)) : Value::Object(std::move(out));
}

Result<Value> ZipMap(const Arguments& arguments) {
  const auto& keys = arguments[0].elements();
  const auto& values = arguments[1].elements();
  if (keys.size() != values.size())
    return Refuse(Cat(keys.size(), " keys and ", values.size(), " values"));
  Members out;
  for (std::size_t index = 0; index < keys.size(); ++index) {
    auto key = TextOf(keys[index]);
    if (!key) return Refuse("the keys must be texts");
    out.insert_or_assign(*std::move(key), values[index]);
  }
  return arguments[1].kind() == Value::Kind::kTuple ? Value::Object(std::move(out))
                                                    : Value::Map(std::move(out));
}

constexpr Function kMapFunctions[] = {
    {"keys", "m", Keys},     {"values", "m", Values},  {"lookup", "msa?", Lookup},
    {"merge", "m?*", Merge}, {"zipmap", "ll", ZipMap},
};

}  // namespace

std::span<const Function> MapFunctions() {
  return kMapFunctions;
}

}  // namespace depot::hcl
