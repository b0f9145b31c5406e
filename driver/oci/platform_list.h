#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "driver/oci/platform.h"

namespace depot {

/// All of them as FormatPlatform() has them, in their order, with `separator` in between.
std::string FormatPlatforms(const std::vector<Platform>& platforms, std::string_view separator);

/// Whether `wanted` is one of them.
bool Contains(const std::vector<Platform>& platforms, const Platform& wanted);

}  // namespace depot
