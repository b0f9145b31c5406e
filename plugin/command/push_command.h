#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `push BUILD --tag NAME`: copies the image of a build made with --save to another registry, blob
/// by blob through this machine, so that nobody else gets the credentials for it. Prints
/// NAME@DIGEST for each tag.
Result<> RunPush(const Call& call);

}  // namespace depot::command
