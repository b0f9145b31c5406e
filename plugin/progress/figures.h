#pragma once

#include <cstdint>
#include <string>

#include "driver/event/shown_bytes.h"
#include "plugin/progress/trace.h"

namespace depot {

/// "15.0s"
std::string ShownSeconds(Elapsed elapsed);

/// "15.0s", "2m05s" or "1h02m": never more than six characters below a hundred hours.
std::string ShownTime(Elapsed elapsed);

}  // namespace depot
