#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"
#include "plugin/hcl/number.h"

namespace depot::hcl {

class Value;
using Elements = std::vector<Value>;
using Members = std::map<std::string, Value, std::less<>>;

/// A value of the language: constant, cheap to copy, may be shared between threads. `[..]` makes a
/// tuple and `{..}` an object; lists, sets and maps, whose elements have one type, come from
/// functions and conversions. Reading what a value is not gives an empty value of that C++ type.
class Value {
 public:
  /// kNull is a null of any type.
  enum class Kind { kNull, kBool, kNumber, kString, kList, kSet, kMap, kTuple, kObject };

  Value();  ///< null
  static Value Bool(bool value);
  static Value Of(Number value);
  static Value Integer(std::int64_t value);
  static Value String(std::string value);
  static Value List(Elements elements);  ///< they are of one type already
  static Value Set(Elements elements);   ///< sorted here, without repeats
  static Value Map(Members members);     ///< they are of one type already
  static Value Tuple(Elements elements);
  static Value Object(Members members);

  Kind kind() const;
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_string() const { return kind() == Kind::kString; }
  bool is_sequence() const;  ///< list, set or tuple
  bool is_mapping() const;   ///< map or object

  bool AsBool() const;
  const Number& AsNumber() const;
  const std::string& AsString() const;
  const Elements& elements() const;  ///< of a list, a set (in order), a tuple
  const Members& members() const;    ///< of a map, an object

  /// How deep it is nested: 1 for what has no elements or members.
  std::size_t depth() const;
  /// How much there is to walk through: elements, members and texts, all the way down. What is
  /// shared is counted each time.
  std::size_t weight() const;

  /// Type and value: `1` is not `"1"`, and a tuple is never a list. Nulls are equal.
  bool operator==(const Value& other) const;

  /// The order of sets: strings by byte, numbers by value, false before true, others by their JSON.
  static bool Before(const Value& left, const Value& right);

 private:
  struct Content;
  explicit Value(std::shared_ptr<const Content> content);
  static Value Made(Kind kind, Content content);
  template <typename Held>
  const Held& As() const;                   ///< an empty one when it holds another type
  std::shared_ptr<const Content> content_;  ///< nullptr = null
};

/// What a value may be asked to become.
struct Type {
  /// kAny is also the type of nulls and the elements of what is empty.
  enum class Kind { kAny, kBool, kNumber, kString, kList, kSet, kMap, kTuple, kObject };
  Kind kind = Kind::kAny;
  std::vector<Type>
      elements;  ///< one for list, set and map; each of a tuple; of an object by `names`
  std::vector<std::string> names;  ///< an object's, sorted, as many as elements
  std::vector<bool> optional;      ///< an object's, as many as names: absent ones become null

  static Type Of(Kind kind) { return Type{kind, {}, {}, {}}; }
  static Type Of(Kind kind, Type element) { return Type{kind, {std::move(element)}, {}, {}}; }

  bool is_primitive() const;
  bool is_collection() const;  ///< list, set, map

  /// "list of string", "object", "tuple", "any".
  std::string Name() const;

  bool operator==(const Type& other) const;
};

Type TypeOf(const Value& value);

/// Makes `value` a `wanted`, as the language does it for arguments, fields and typed variables:
/// numbers and bools become strings, strings that are spelled like them become numbers and bools,
/// tuples become lists element by element, objects lose what the type does not name. Null is null
/// of every type. The error (kInvalid) says what is required, without a place: "string required".
Result<Value> Convert(const Value& value, const Type& wanted);

/// The type that values of both types can be converted to, as conditionals and lists want it.
/// kInvalid when there is none.
Result<Type> CommonType(const std::vector<Type>& types);

/// Number, bool or string as text; kInvalid for anything else, null too.
Result<std::string> TextOf(const Value& value);

/// JSON in one line as jsonencode() writes it: keys sorted, `<`, `>`, `&` as \u003c... An infinity
/// has none: kInvalid.
Result<std::string> ToJson(const Value& value);

/// Arrays become tuples, objects objects, numbers keep all their digits. kInvalid when it is no
/// JSON; bounded in depth.
Result<Value> ParseJson(std::string_view text);

/// "string", "number", "bool", "list of string", "object with 3 attributes" is "object": how
/// errors name a value's type. Null is "null".
std::string TypeName(const Value& value);

}  // namespace depot::hcl
