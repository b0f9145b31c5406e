#pragma once

#include <cstdint>
#include <string>

#include "driver/base/result.h"

namespace depot::options {

/// Nanoseconds of a duration as Go reads it ("1h30m", "90s"); kUsage otherwise.
Result<std::int64_t> ParseGoDuration(const std::string& text);

}  // namespace depot::options
