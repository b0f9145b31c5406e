#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "driver/base/result.h"

namespace depot {

/// A JSON value to read from or to build, without exceptions and without the heavy header of the
/// library behind it. Cheap to copy when small; a value, not a view. Reading something that is not
/// there, or is of another type, gives an empty/null value or the given default: the caller that
/// must tell the difference asks type().
class Json {
 public:
  /// What a value is; a number is never a string, and kNull is also what is not there.
  enum class Type { kNull, kBool, kNumber, kString, kArray, kObject };

  Json();  ///< null
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(Json other) noexcept;
  ~Json();

  static Json String(std::string_view text);  ///< invalid UTF-8 is replaced by U+FFFD
  static Json Number(std::int64_t value);
  static Json Bool(bool value);
  static Json Object();
  static Json Array();

  /// Strict RFC 8259; a second value, comments or trailing commas are errors that name line and
  /// column. Nesting deeper than 200 is refused.
  static Result<Json> Parse(std::string_view text);

  Type type() const;
  bool is_object() const { return type() == Type::kObject; }
  bool is_array() const { return type() == Type::kArray; }
  bool is_string() const { return type() == Type::kString; }

  std::string AsString(std::string_view otherwise = "") const;
  std::int64_t AsInt(std::int64_t otherwise = 0) const;
  bool AsBool(bool otherwise = false) const;

  std::size_t size() const;  ///< members or elements; 0 for anything else
  bool Has(std::string_view key) const;
  Json operator[](std::string_view key) const;  ///< null when absent
  Json operator[](std::size_t index) const;     ///< null when out of range
  std::vector<std::string> Keys() const;        ///< sorted by byte

  void Set(std::string_view key, Json value);  ///< makes *this an object
  void Append(Json value);                     ///< makes *this an array

  /// Keys sorted by byte. `indent` < 0 gives one line without blanks.
  std::string Dump(int indent = -1) const;

 private:
  struct Value;
  explicit Json(std::unique_ptr<Value> value);
  std::unique_ptr<Value> value_;
};

}  // namespace depot
