#pragma once

#include <functional>
#include <string>

#include "driver/base/cancel.h"
#include "driver/builder/builder.h"

namespace moby::buildkit::v1 {
class BuildHistoryEvent;
}

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

/// The same for the records of builds (Control.ListenBuildHistory), all that there are, or with
/// `ref` that one: one that ends meanwhile comes twice.
Result<> ReadHistory(
    builder::Builder& builder,
    const std::string& ref,
    const std::function<void()>& again,
    const std::function<Result<>(const moby::buildkit::v1::BuildHistoryEvent&)>& take,
    const Cancel& cancel);

}  // namespace depot::solve
