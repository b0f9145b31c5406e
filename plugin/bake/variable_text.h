#pragma once

#include <string>
#include <string_view>

#include "driver/base/result.h"
#include "plugin/hcl/value.h"

namespace depot::bake {

/// The value of a variable of `type` from the text of an environment variable: primitives as they
/// are, lists, sets and tuples as CSV, maps as CSV of KEY:VALUE. kInvalid without the name.
Result<hcl::Value> ValueFromText(std::string_view text, const hcl::Type& type);

}  // namespace depot::bake
