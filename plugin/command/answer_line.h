#pragma once

#include <string>

#include "driver/base/cancel.h"
#include "driver/base/result.h"

namespace depot::command {

/// One line from standard input, without its end and the blanks around it; kFailed when there is
/// none.
Result<std::string> ReadAnswerLine(const Cancel& cancel);

}  // namespace depot::command
