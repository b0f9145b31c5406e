#pragma once

#include "driver/base/result.h"
#include "driver/base/yaml.h"
#include "plugin/bake/compose_files.h"
#include "plugin/bake/fields.h"

namespace depot::bake {

/// What the service's `build`, with `x-bake` in it, says as a target (buildx bake/compose.go).
/// `file` has the secrets; `files` the variables for arguments without a value.
Result<Fields> FieldsOfService(const Yaml& service, const Yaml& file, const ComposeFiles& files);

}  // namespace depot::bake
