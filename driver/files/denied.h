#pragma once

#include <string>
#include <string_view>

#include "driver/base/error.h"

namespace depot::files {

/// SystemError(`doing` `path`, errno) of what a walk looks at. When this user may not look at it,
/// the hint names the directory that he must be able to enter, and `or_else`, which is another way
/// out ("" = none).
Error LookError(std::string_view doing,
                std::string_view path,
                int error_number,
                std::string_view or_else);

}  // namespace depot::files
