#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/base/json.h"

namespace depot {

/// In which order a Go program writes the members of its types.
struct MemberOrder {
  std::vector<std::string_view> first;  ///< in this order, in every object; all others after them
  /// Members that are maps: all that is in them, however deep, is sorted by byte alone.
  std::vector<std::string_view> maps;
};

/// JSON as Go's encoding/json writes it, for content whose digest must be that of a Go program's:
/// members in `order`, the rest sorted by byte; `<`, `>`, `&`, U+2028 and U+2029 escaped. `indent`
/// < 0 gives one line without blanks.
std::string FormatGoJson(const Json& json, int indent, const MemberOrder& order);

}  // namespace depot
