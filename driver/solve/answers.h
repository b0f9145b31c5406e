#pragma once

#include <functional>
#include <string>

#include "driver/base/cancel.h"
#include "driver/builder/builder.h"

namespace depot::solve {

/// Asks the builder one question, and gives each message of its answer to `take`, whose Error ends
/// it. What is asked is there after a lost connection too: then one is made again, and `take`, told
/// of it by `again`, begins anew. Blocks.
Result<> ReadAnswers(builder::Builder& builder,
                     const std::string& method,
                     const std::string& request,
                     const std::function<void()>& again,
                     const std::function<Result<>(const std::string&)>& take,
                     const Cancel& cancel);

}  // namespace depot::solve
