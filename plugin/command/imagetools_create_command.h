#pragma once

#include "plugin/command/command.h"

namespace depot::command {

/// `imagetools create`: makes an image of others: gives one another name, merges several into one
/// for several platforms, annotates it, copies it elsewhere. What it needs is in the target's
/// repository before the first tag is written. The bytes are those that `docker buildx imagetools
/// create` makes. `--dry-run` prints them. Lines about what is copied go to standard error.
Result<> RunImagetoolsCreate(const Call& call);

}  // namespace depot::command
