#pragma once

#include <string>

#include "driver/base/result.h"
#include "plugin/bake/fields.h"

namespace depot::bake {

/// The command line of `build` that means the same as a resolved target, the context last. Links to
/// other targets and the inline Dockerfile have no words, and are left out. kInvalid names what
/// cannot be said.
Result<Strings> BuildWords(const Fields& fields);

}  // namespace depot::bake
