#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "driver/base/text.h"
#include "plugin/hcl/functions.h"

namespace depot::hcl {

namespace {

/// A list if the arguments are no tuples, otherwise a tuple.
Value Alike(const Arguments& arguments, Elements elements) {
  bool tuple = std::any_of(arguments.begin(), arguments.end(),
                           [](const Value& value) { return value.kind() == Value::Kind::kTuple; });
  return tuple ? Value::Tuple(std::move(elements)) : Value::List(std::move(elements));
}

Result<Value> CoalesceList(const Arguments& arguments) {
  for (const auto& argument : arguments) {
    if (!argument.elements().empty()) return argument;
  }
  return Refuse("all lists are empty");
}

Result<Value> Compact(const Arguments& arguments) {
  Elements out;
  for (const auto& element : arguments[0].elements()) {
    if (element.is_null()) continue;
    auto text = TextOf(element);
    if (!text) return Refuse("a list of texts is required");
    if (!text->empty()) out.push_back(Value::String(*std::move(text)));
  }
  return Value::List(std::move(out));
}

Result<Value> Concat(const Arguments& arguments) {
  if (arguments.empty()) return Refuse("it takes at least 1 argument");
  Elements out;
  for (const auto& argument : arguments) {
    TRY(CheckSize(out.size() + argument.elements().size()));
    out.insert(out.end(), argument.elements().begin(), argument.elements().end());
  }
  return Alike(arguments, std::move(out));
}

Result<Value> Contains(const Arguments& arguments) {
  const auto& list = arguments[0].elements();
  return Value::Bool(std::find(list.begin(), list.end(), arguments[1]) != list.end());
}

Result<Value> Distinct(const Arguments& arguments) {
  TRY_ASSIGN(auto elements, Unified(arguments[0].elements()));
  std::set<Value, bool (*)(const Value&, const Value&)> seen(Value::Before);
  Elements out;
  for (auto& element : elements) {
    if (seen.insert(element).second) out.push_back(std::move(element));
  }
  return Value::List(std::move(out));
}

Result<Value> ReverseList(const Arguments& arguments) {
  auto out = arguments[0].elements();
  std::reverse(out.begin(), out.end());
  return Alike(arguments, std::move(out));
}

Result<Value> Sort(const Arguments& arguments) {
  std::vector<std::string> texts;
  for (const auto& element : arguments[0].elements()) {
    auto text = TextOf(element);
    if (!text) return Refuse("a list of texts is required");
    texts.push_back(*std::move(text));
  }
  std::sort(texts.begin(), texts.end());
  Elements out;
  for (auto& text : texts)
    out.push_back(Value::String(std::move(text)));
  return Value::List(std::move(out));
}

Result<Value> ChunkList(const Arguments& arguments) {
  TRY_ASSIGN(auto size, Whole(arguments[1], "the size"));
  if (size < 0) return Refuse("the size must not be negative");
  Elements chunks;
  Elements chunk;
  for (const auto& element : arguments[0].elements()) {
    chunk.push_back(element);
    if (size > 0 && chunk.size() == static_cast<std::size_t>(size))
      chunks.push_back(Value::List(std::exchange(chunk, {})));
  }
  if (!chunk.empty()) chunks.push_back(Value::List(std::move(chunk)));
  return Value::List(std::move(chunks));
}

Result<Value> Element(const Arguments& arguments) {
  const auto& list = arguments[0].elements();
  if (list.empty()) return Refuse("the list is empty");
  TRY_ASSIGN(auto index, Whole(arguments[1], "the index"));
  auto size = static_cast<std::int64_t>(list.size());
  return list[static_cast<std::size_t>((index % size + size) % size)];
}

/// nullptr when there is none.
Result<const Value*> Indexed(const Value& collection, const Value& key) {
  if (collection.kind() == Value::Kind::kMap) {
    auto found = collection.members().find(TextOf(key).value_or(""));
    return found == collection.members().end() ? nullptr : &found->second;
  }
  if (collection.kind() != Value::Kind::kList && collection.kind() != Value::Kind::kTuple)
    return Refuse(Cat("a list or a map is required, not ", TypeName(collection)));
  auto number = Convert(key, Type::Of(Type::Kind::kNumber));
  auto index = number ? number->AsNumber().ToInteger() : std::nullopt;
  const auto& list = collection.elements();
  if (!index || *index < 0 || static_cast<std::size_t>(*index) >= list.size()) return nullptr;
  return &list[static_cast<std::size_t>(*index)];
}

Result<Value> Index(const Arguments& arguments) {
  TRY_ASSIGN(const auto* found, Indexed(arguments[0], arguments[1]));
  if (found == nullptr) return Refuse("there is no element of that index");
  return *found;
}

Result<Value> HasIndex(const Arguments& arguments) {
  TRY_ASSIGN(const auto* found, Indexed(arguments[0], arguments[1]));
  return Value::Bool(found != nullptr);
}

Result<Value> IndexOf(const Arguments& arguments) {
  const auto& list = arguments[0].elements();
  auto found = std::find(list.begin(), list.end(), arguments[1]);
  if (found == list.end()) return Refuse("there is no such element");
  return Value::Integer(found - list.begin());
}

Result<Value> Length(const Arguments& arguments) {
  const auto& value = arguments[0];
  if (!value.is_sequence() && value.kind() != Value::Kind::kMap)
    return Refuse(Cat("a list or a map is required, not ", TypeName(value)));
  return Value::Integer(
      static_cast<std::int64_t>(value.elements().size() + value.members().size()));
}

Result<> FlattenInto(Elements& out, const Value& list) {
  TRY(CheckSize(out.size()));
  for (const auto& element : list.elements()) {
    if (element.is_sequence()) {
      TRY(FlattenInto(out, element));
    } else {
      out.push_back(element);
    }
  }
  return {};
}

Result<Value> Flatten(const Arguments& arguments) {
  Elements out;
  TRY(FlattenInto(out, arguments[0]));
  return Value::Tuple(std::move(out));
}

Result<Value> Slice(const Arguments& arguments) {
  const auto& list = arguments[0].elements();
  if (arguments[0].kind() == Value::Kind::kSet) return Refuse("a set has no order");
  TRY_ASSIGN(auto from, Whole(arguments[1], "the begin"));
  TRY_ASSIGN(auto to, Whole(arguments[2], "the end"));
  if (from < 0 || to < from || static_cast<std::size_t>(to) > list.size())
    return Refuse(
        Cat("begin and end must be within the ", list.size(), " elements, in this order"));
  return Alike({arguments[0]}, Elements(list.begin() + from, list.begin() + to));
}

/// Arguments as sets of one type: elements of all are brought to it.
Result<std::vector<Elements>> AsSets(const Arguments& arguments) {
  if (arguments.empty()) return Refuse("it takes at least 1 argument");
  Elements all;
  for (const auto& argument : arguments)
    all.insert(all.end(), argument.elements().begin(), argument.elements().end());
  TRY_ASSIGN(auto unified, Unified(all));
  std::vector<Elements> sets;
  auto at = unified.begin();
  for (const auto& argument : arguments) {
    auto end = at + static_cast<std::ptrdiff_t>(argument.elements().size());
    sets.push_back(Value::Set(Elements(at, end)).elements());
    at = end;
  }
  return sets;
}

/// What of both sets goes on, in their order.
enum class Keep { kBoth, kLeft, kOneOnly, kAll };

Elements Combine(const Elements& left, const Elements& right, Keep keep) {
  Elements out;
  auto end = std::back_inserter(out);
  switch (keep) {
    case Keep::kBoth:
      std::set_intersection(left.begin(), left.end(), right.begin(), right.end(), end,
                            Value::Before);
      break;
    case Keep::kLeft:
      std::set_difference(left.begin(), left.end(), right.begin(), right.end(), end, Value::Before);
      break;
    case Keep::kOneOnly:
      std::set_symmetric_difference(left.begin(), left.end(), right.begin(), right.end(), end,
                                    Value::Before);
      break;
    case Keep::kAll:
      std::set_union(left.begin(), left.end(), right.begin(), right.end(), end, Value::Before);
      break;
  }
  return out;
}

Result<Value> CombineAll(const Arguments& arguments, Keep keep) {
  TRY_ASSIGN(auto sets, AsSets(arguments));
  Elements out = sets.front();
  for (std::size_t index = 1; index < sets.size(); ++index)
    out = Combine(out, sets[index], keep);
  return Value::Set(std::move(out));
}

Result<Value> SetUnion(const Arguments& arguments) {
  return CombineAll(arguments, Keep::kAll);
}

Result<Value> SetIntersection(const Arguments& arguments) {
  return CombineAll(arguments, Keep::kBoth);
}

Result<Value> SetSymmetricDifference(const Arguments& arguments) {
  return CombineAll(arguments, Keep::kOneOnly);
}

Result<Value> SetSubtract(const Arguments& arguments) {
  return CombineAll(arguments, Keep::kLeft);
}

Result<Value> SetProduct(const Arguments& arguments) {
  if (arguments.size() < 2) return Refuse("it takes at least 2 lists");
  constexpr std::size_t kMost = 1'000'000;
  std::size_t count = 1;
  for (const auto& argument : arguments) {
    count *= argument.elements().size();
    if (count > kMost) return Refuse("the product of the lists has more than 1,000,000 elements");
  }
  bool sets = std::all_of(arguments.begin(), arguments.end(),
                          [](const Value& value) { return value.kind() == Value::Kind::kSet; });
  Elements out;
  for (std::size_t number = 0; number < count; ++number) {
    Elements tuple(arguments.size());
    auto rest = number;
    for (auto index = arguments.size(); index-- > 0;) {
      const auto& list = arguments[index].elements();
      tuple[index] = list[rest % list.size()];
      rest /= list.size();
    }
    out.push_back(Value::Tuple(std::move(tuple)));
  }
  return sets ? Value::Set(std::move(out)) : Value::List(std::move(out));
}

constexpr Function kListFunctions[] = {
    {"coalescelist", "l*", CoalesceList},
    {"compact", "l", Compact},
    {"concat", "l*", Concat},
    {"contains", "la?", Contains},
    {"distinct", "l", Distinct},
    {"reverselist", "l", ReverseList},
    {"sort", "l", Sort},
    {"chunklist", "ln", ChunkList},
    {"element", "ln", Element},
    {"index", "aa", Index},
    {"hasindex", "aa", HasIndex},
    {"indexof", "la", IndexOf},
    {"length", "a", Length},
    {"flatten", "l", Flatten},
    {"slice", "lnn", Slice},
};

constexpr Function kSetFunctions[] = {
    {"setunion", "l*", SetUnion},
    {"setintersection", "l*", SetIntersection},
    {"setsymmetricdifference", "l*", SetSymmetricDifference},
    {"setsubtract", "ll", SetSubtract},
    {"sethaselement", "la", Contains},
    {"setproduct", "l*", SetProduct},
};

}  // namespace

std::span<const Function> ListFunctions() {
  return kListFunctions;
}

std::span<const Function> SetFunctions() {
  return kSetFunctions;
}

}  // namespace depot::hcl
