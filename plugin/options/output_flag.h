#pragma once

#include <string_view>

#include "driver/base/result.h"
#include "plugin/options/build_options.h"

namespace depot::options {

/// One value of -o: a path (a directory), "-" (a tar archive to standard output), or CSV with
/// `type` and the attributes of that exporter (BuildKit exporter/*/export.go). An unknown type or
/// attribute, a value an attribute cannot have, a destination that is missing or has no meaning,
/// and what this program cannot do yet are kUsage, and name the nearest known word.
Result<Output> ParseOutput(std::string_view value);

}  // namespace depot::options
