#pragma once

#include <cstdint>
#include <string>

#include "plugin/progress/trace.h"

namespace depot {

/// A number of bytes for people: "154B", "4.27MB" (decimal units, as docker prints them).
std::string ShownBytes(std::int64_t count);

/// "15.0s"
std::string ShownSeconds(Elapsed elapsed);

/// "15.0s", "2m05s" or "1h02m": never more than six characters below a hundred hours.
std::string ShownTime(Elapsed elapsed);

}  // namespace depot
