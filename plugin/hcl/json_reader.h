#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "plugin/hcl/number.h"

namespace depot::hcl {

struct JsonMember;

/// JSON with its places: members in their order, names that repeat included, numbers with all
/// digits.
struct JsonValue {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  bool truth = false;
  Number number;
  std::string text;      ///< of a string, without its escapes
  bool escaped = false;  ///< `text` is not what stands in the source
  std::vector<std::shared_ptr<const JsonValue>> elements;
  std::vector<JsonMember> members;
  std::size_t begin = 0;  ///< bytes of the text, quotes and brackets included
  std::size_t end = 0;
};

/// A member of an object.
struct JsonMember {
  JsonValue name;
  std::shared_ptr<const JsonValue> value;
};

/// Why a text is no JSON, and where.
struct JsonFault {
  std::string what;
  std::size_t at = 0;
};

/// Strict RFC 8259; nesting deeper than 150 is refused.
tl::expected<std::shared_ptr<const JsonValue>, JsonFault> ReadJson(std::string_view text);

}  // namespace depot::hcl
