#pragma once

#include <string>
#include <vector>

#include "driver/base/cancel.h"
#include "driver/base/environment.h"
#include "driver/base/result.h"
#include "plugin/bake/compose.h"
#include "plugin/bake/definition.h"

namespace depot::bake {

/// The files that the user named: by -f (`named`), else by BUILDX_BAKE_FILE; empty = none.
Strings NamedFiles(const Strings& named, const Environment& environment);

/// The files that are read when none is named, in their order.
Strings DefaultNames();

/// Reads the files of a definition: `named` (-f; `cwd://` in front means nothing, `-` is standard
/// input, the descriptor `standard_input`), else those of BUILDX_BAKE_FILE, else each of the
/// default names that exists in the working directory, as a regular file. kNotFound when there is
/// none; kDenied when a link leads out of the sources, as of disk::ReadTyped(). Blocks for standard
/// input and pipes.
Result<std::vector<DefinitionFile>> ReadDefinitionFiles(const Strings& named,
                                                        const Environment& environment,
                                                        int standard_input,
                                                        const Cancel& cancel);

/// Parses each by its name, or, when that says nothing, as the first of compose, HCL and JSON that
/// it is, and evaluates them together: compose files come first, whatever their place.
Result<Definition> LoadDefinition(const std::vector<DefinitionFile>& files,
                                  const Surroundings& surroundings);

}  // namespace depot::bake
